"""Launch: handing out trials, second tries, trials that hang."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from study.request import Resources
from study.running import cluster, launch
from study.running import watch as watching
from study.running.feed import Feed
from study.running.sources import Queue
from study.running.watch import Watch
from tests.study.running.test_feed import Listed
from tests.study.troubles import Hungry, Stuck
from trainables.settings import Use
from trainables.storage.shelf import Shelf
from trainables.storage.storage import Storage
from trainables.trial import Trial

NOWHERE = Path("/nowhere")


class Begun:
    """A trial as Tune has it."""

    trial_id = "t0"
    temporary_state = SimpleNamespace(ray_actor="its actor")

    def __init__(self, trial: Trial) -> None:
        self.config = {"id": trial.id, "trial": trial}


def run(storage: Storage, *trials: Trial, resources: Resources | None = None) -> dict[str, str]:
    queue = Queue({trial.id: trial for trial in trials}, storage)
    return launch.run([queue], storage, NOWHERE, resources or cluster.fitted(Resources()))


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_trials_get_results_and_logs_in_the_storage(tmp_path: Path, trial: Trial) -> None:
    trials = [trial.but(seed=seed) for seed in range(3)]
    storage = Storage(tmp_path)
    assert run(storage, *trials) == {}
    assert set(storage.results()) == {trial.id for trial in trials}
    for each in trials:
        log = storage.trial(each.id).shelf.read("log.txt")
        assert log is not None
        assert log.decode().count("validation.accuracy") == 3


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_storage_that_fails_is_an_error_and_no_result(tmp_path: Path, trial: Trial) -> None:
    (tmp_path / "trials" / trial.id / "log.txt").mkdir(parents=True)  # where a file has to be
    lost = run(Storage(tmp_path), trial)
    assert list(lost) == [trial.id]
    assert lost[trial.id].startswith("IsADirectoryError: ")


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_storage_that_the_driver_cannot_read_is_raised(tmp_path: Path, trial: Trial) -> None:
    (tmp_path / "trials").touch()  # where a folder has to be
    with pytest.raises(NotADirectoryError):
        run(Storage(tmp_path), trial)


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs a node of two CPUs")
def test_what_is_out_of_memory_is_tried_once_more_alone(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    once, never = (trial.but(net=Use(Hungry, threads=n)) for n in (2, 10_000))
    begun: list[str] = []
    queue = Queue({t.id: t for t in (once, never, trial)}, storage)
    resources = cluster.fitted(Resources())
    assert launch.run([queue], storage, NOWHERE, resources, begun.append) == {}
    assert sorted(begun[:3]) == sorted([once.id, never.id, trial.id])
    assert sorted(begun[3:]) == sorted([once.id, never.id])  # after all others, once each
    results = {t: storage.trial(t.id).shelf.read_json("result.json") for t in (once, never, trial)}
    assert [r["status"] for r in results.values()] == ["finished", "failed", "finished"]
    assert [r["retried"] for r in results.values()] == [True, True, False]
    assert results[never]["reason"] == "out of GPU memory"
    assert results[once]["site"]["threads"] > 1


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_trial_that_hangs_is_ended_and_the_others_go_on(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    stuck = trial.but(net=Use(Stuck))
    limit = Resources(gpus=0.0, concurrent=1, stall_minutes=0.5)
    assert run(storage, stuck, trial, resources=limit) == {}
    result = storage.trial(stuck.id).shelf.read_json("result.json")
    assert (result["status"], result["reason"]) == (
        "failed",
        "no epoch finished within 0.5 minutes",
    )
    assert storage.trial(trial.id).result().status == "finished"
    end = time.monotonic() + 60  # Ray gives a killed worker's place back a while later
    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"]:
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def running(
    tmp_path: Path, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> tuple[Watch, Begun, list[Any]]:
    """A trial that Tune heard of after its first epoch, watched without patience; who is killed."""
    killed: list[Any] = []
    monkeypatch.setattr(ray, "kill", killed.append)
    storage = Storage(tmp_path)
    watch = Watch(Feed([], storage), storage, Resources(stall_minutes=1e-9))
    begun = Begun(trial)
    watch.on_trial_start(0, [], begun)
    watch.on_trial_result(0, [], begun, {"epoch": 1})
    return watch, begun, killed


def test_a_trial_that_moved_on_while_tune_did_not_listen_is_not_ended(
    tmp_path: Path, trial: Trial, running: tuple[Watch, Begun, list[Any]]
) -> None:
    watch, begun, killed = running
    shelf = Storage(tmp_path).trial(trial.id).shelf
    shelf.write_json("history.json", [{"epoch": 1}, {"epoch": 2}])
    watch.on_step_end(0, [])
    assert (killed, shelf.read("result.json")) == ([], None)
    watch.on_step_end(0, [])  # it has not moved since
    assert killed == [begun.temporary_state.ray_actor]
    assert shelf.read_json("result.json")["status"] == "failed"


def test_a_resumed_trial_that_hangs_at_once_is_ended_at_the_first_limit(
    tmp_path: Path, trial: Trial, running: tuple[Watch, Begun, list[Any]]
) -> None:
    watch, begun, killed = running
    Storage(tmp_path).trial(trial.id).shelf.write_json("history.json", [{"epoch": 1}, {"epoch": 2}])
    watch.on_trial_start(0, [], begun)
    watch.on_step_end(0, [])
    assert killed == [begun.temporary_state.ray_actor]


def test_a_storage_that_cannot_be_looked_at_ends_the_feed_and_not_tune(
    tmp_path: Path, trial: Trial
) -> None:
    class Away(Storage):
        def trial(self, trial_id: str) -> Shelf:
            raise OSError("away")

    def watch(storage: Storage) -> tuple[Watch, Feed]:
        feed = Feed([], storage)
        return Watch(feed, storage, Resources(stall_minutes=1e-9)), feed

    starting, feed = watch(Away(tmp_path))
    starting.on_trial_start(0, [], Begun(trial))
    assert str(feed.broken) == "away"
    looking, feed = watch(Storage(tmp_path))
    looking.on_trial_start(0, [], Begun(trial))
    looking._storage = Away(tmp_path)
    looking.on_step_end(0, [])
    assert str(feed.broken) == "away"


def test_a_trial_whose_result_tune_has_not_heard_of_keeps_it(
    tmp_path: Path, trial: Trial, running: tuple[Watch, Begun, list[Any]]
) -> None:
    watch, begun, killed = running
    shelf = Storage(tmp_path).trial(trial.id).shelf
    shelf.write_json("result.json", {"status": "finished"})
    watch.on_step_end(0, [])
    assert killed == []
    watch.on_step_end(0, [])  # the worker hangs after its work is done
    assert killed == [begun.temporary_state.ray_actor]
    assert shelf.read_json("result.json") == {"status": "finished"}


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_while_nothing_can_be_placed_a_line_says_what_waits(
    tmp_path: Path,
    trial: Trial,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(watching, "WAITING_SECONDS", 0.2)
    feed = Feed([Listed(trial, "x", "y")], Storage(tmp_path))
    watch = Watch(feed, Storage(tmp_path), Resources(cpus=2, gpus=0.5))
    for tune_id in ("t0", "t1"):
        feed.suggest(tune_id)
    watch.on_step_end(0, [])
    assert capsys.readouterr().out == ""
    time.sleep(0.3)
    for _ in range(2):
        watch.on_step_end(0, [])
    cpus = ray.cluster_resources()["CPU"]
    assert capsys.readouterr().out == (
        "nothing can be placed: 2 trials pending, of 2 CPUs, 0.5 GPUs each; "
        f"the cluster has {cpus:g} CPUs, 0 GPUs on 1 nodes\n"
    )
    watch.on_trial_start(0, [], Begun(trial))
    time.sleep(0.3)
    watch.on_step_end(0, [])
    assert capsys.readouterr().out == ""
