"""Ray: connecting, resources, and trials that end without a result."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from study import launch
from study.launch import Resources
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
