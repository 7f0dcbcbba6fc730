"""Ray: connecting, resources, trials that end without a result, and the feed of searches."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.tune.search import Searcher

from study import launch
from study.launch import Feed, Resources
from trainables.settings import Invalid
from trainables.storage import Storage
from trainables.trial import Trial


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    launch.connect(None)
    yield
    ray.shutdown()


def test_an_address_without_a_cluster_is_named_within_seconds() -> None:
    begun = time.monotonic()
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9", "127.0.0.1:port"):
        with pytest.raises(Invalid, match=f"--address = {address}: must be host:port"):
            launch.connect(address)
    assert time.monotonic() - begun < 10


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_trial_larger_than_every_node_is_refused() -> None:
    with pytest.raises(Invalid, match="--cpus-per-trial = 9999: must be at most"):
        launch.fitted(Resources(cpus=9999))
    with pytest.raises(Invalid, match="--gpus-per-trial = 99: must be at most"):
        launch.fitted(Resources(gpus=99))
    assert launch.fitted(Resources(gpus=None)).gpus is not None


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_trials_get_results_and_logs_in_the_storage(tmp_path: Path, trial: Trial) -> None:
    trials = {t.id: t for t in (trial.but(seed=seed) for seed in range(3))}
    storage = Storage(tmp_path)
    assert launch.run(trials, storage, Path("/nowhere"), launch.fitted(Resources())) == {}
    assert set(storage.results()) == set(trials)
    for trial_id in trials:
        log = storage.trial(trial_id).read("log.txt")
        assert log is not None
        assert log.decode().count("validation.accuracy") == 3


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_storage_that_fails_is_an_error_and_no_result(tmp_path: Path, trial: Trial) -> None:
    (tmp_path / "trials").touch()  # where a folder has to be
    lost = launch.run({trial.id: trial}, Storage(tmp_path), Path("/nowhere"), Resources(gpus=0.0))
    assert list(lost) == [trial.id]
    assert "Error" in lost[trial.id]


class Listed:
    """A search that asks for the trials of a list, and notes which ones have ended."""

    def __init__(self, trial: Trial, *ids: str) -> None:
        self.lost: list[str] = []
        self.left = list(ids)
        self.noted: list[str] = []
        self.trial = trial

    def take(self) -> tuple[str, Trial] | None:
        return (self.left.pop(0), self.trial) if self.left else None

    def ended(self, trial_id: str) -> None:
        self.noted.append(trial_id)


def test_the_search_with_the_fewest_running_is_next(trial: Trial) -> None:
    feed = Feed([Listed(trial, "a1", "a2", "a3"), Listed(trial, "b1", "b2")])
    given = [feed.suggest(f"t{i}")["id"] for i in range(4)]
    assert given == ["a1", "b1", "a2", "b2"]
    feed.on_trial_complete("t1")
    feed.on_trial_complete("t3")
    assert feed.suggest("t4")["id"] == "a3"
    assert feed.suggest("t5") is None  # others run: their ends may bring more
    for i in (0, 2, 4):
        feed.on_trial_complete(f"t{i}")
    assert feed.suggest("t6") == Searcher.FINISHED


def test_a_trial_that_two_searches_ask_for_is_trained_once_and_told_to_both(trial: Trial) -> None:
    one, other = Listed(trial, "x"), Listed(trial, "x", "y")
    feed = Feed([one, other])
    assert [feed.suggest(f"t{i}")["id"] for i in range(2)] == ["x", "y"]
    feed.on_trial_complete("t0")
    assert one.noted == other.noted == ["x"]


def test_what_comes_along_is_the_trial_itself(trial: Trial) -> None:
    assert Feed([Listed(trial, "x")]).suggest("t")["trial"] == trial
