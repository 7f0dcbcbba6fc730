"""Ray: connecting, resources, handing out trials, second tries, trials that hang."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import ray
from ray.tune.search import Searcher

from study import launch
from study.launch import Feed, Queue, Resources, Watch
from tests.study.troubles import Hungry, Stuck
from trainables.settings import Invalid, Use
from trainables.storage import Storage
from trainables.targets.self_distilled import SelfDistilled
from trainables.trial import Trial

NOWHERE = Path("/nowhere")


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


def test_ray_leaves_the_handler_of_sigterm_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    launch.connect(None)
    assert signal.getsignal(signal.SIGTERM) == before


def run(storage: Storage, *trials: Trial, resources: Resources | None = None) -> dict[str, str]:
    queue = Queue({trial.id: trial for trial in trials}, storage)
    return launch.run([queue], storage, NOWHERE, resources or launch.fitted(Resources()))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_trials_get_results_and_logs_in_the_storage(tmp_path: Path, trial: Trial) -> None:
    trials = [trial.but(seed=seed) for seed in range(3)]
    storage = Storage(tmp_path)
    assert run(storage, *trials) == {}
    assert set(storage.results()) == {trial.id for trial in trials}
    for each in trials:
        log = storage.trial(each.id).read("log.txt")
        assert log is not None
        assert log.decode().count("validation.accuracy") == 3


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_storage_that_fails_is_an_error_and_no_result(tmp_path: Path, trial: Trial) -> None:
    (tmp_path / "trials" / trial.id / "log.txt").mkdir(parents=True)  # where a file has to be
    lost = run(Storage(tmp_path), trial)
    assert list(lost) == [trial.id]
    assert lost[trial.id].startswith("IsADirectoryError: ")


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_storage_that_the_driver_cannot_read_is_raised(tmp_path: Path, trial: Trial) -> None:
    (tmp_path / "trials").touch()  # where a folder has to be
    with pytest.raises(NotADirectoryError):
        run(Storage(tmp_path), trial)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs a node of two CPUs")
def test_what_is_out_of_memory_is_tried_once_more_alone(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    once, never = (trial.but(net=Use(Hungry, threads=n)) for n in (2, 10_000))
    begun: list[str] = []
    queue = Queue({t.id: t for t in (once, never, trial)}, storage)
    resources = launch.fitted(Resources())
    assert launch.run([queue], storage, NOWHERE, resources, begun.append) == {}
    assert sorted(begun[:3]) == sorted([once.id, never.id, trial.id])
    assert sorted(begun[3:]) == sorted([once.id, never.id])  # after all others, once each
    results = {t: storage.trial(t.id).read_json("result.json") for t in (once, never, trial)}
    assert [r["status"] for r in results.values()] == ["finished", "failed", "finished"]
    assert [r["retried"] for r in results.values()] == [True, True, False]
    assert results[never]["reason"] == "out of GPU memory"
    assert results[once]["site"]["threads"] > 1


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_trial_that_hangs_is_ended_and_the_others_go_on(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    stuck = trial.but(net=Use(Stuck))
    limit = Resources(gpus=0.0, concurrent=1, stall_minutes=0.5)
    assert run(storage, stuck, trial, resources=limit) == {}
    result = storage.trial(stuck.id).read_json("result.json")
    assert (result["status"], result["reason"]) == (
        "failed",
        "no epoch finished within 0.5 minutes",
    )
    assert storage.trial(trial.id).read_json("result.json")["status"] == "finished"
    assert ray.available_resources()["CPU"] == ray.cluster_resources()["CPU"]


def finish(
    storage: Storage, trial_id: str, reason: str | None = None, retried: bool = False
) -> None:
    status = "failed" if reason else "finished"
    values = {"status": status, "reason": reason, "retried": retried, "history": []}
    storage.trial(trial_id).write_json("result.json", values)


def taken(asking: launch.Asking) -> list[str]:
    """All that it hands out now."""
    found = []
    while (one := asking.take()) is not None:
        found.append(one[0])
    return found


def test_a_trial_waits_for_its_teachers(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    finish(storage, "earlier")
    waits = {"student": ("teacher", "earlier"), "next": ("student",)}
    queue = Queue(dict.fromkeys(("next", "student", "teacher", "other"), trial), storage, waits)
    assert taken(queue) == ["teacher", "other"]
    finish(storage, "other")
    queue.ended("other")
    assert taken(queue) == []
    finish(storage, "teacher")
    queue.ended("teacher")
    assert taken(queue) == ["student"]
    finish(storage, "student")
    queue.ended("student")
    assert taken(queue) == ["next"]
    assert queue.lost == []


def test_with_a_failed_teacher_a_trial_fails_untrained(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    student, last = trial.but(seed=1), trial.but(seed=2)
    waits = {student.id: (trial.id,), last.id: (student.id,)}
    queue = Queue({t.id: t for t in (last, student, trial)}, storage, waits)
    assert taken(queue) == [trial.id]
    finish(storage, trial.id, "the loss was nan")
    queue.ended(trial.id)
    assert taken(queue) == []
    result = storage.trial(student.id).read_json("result.json")
    reason = f"its teacher {trial.id} failed: the loss was nan"
    assert (result["status"], result["reason"], result["history"]) == ("failed", reason, [])
    assert storage.trial(student.id).read_json("trial.json") == student.flat()
    reason = f"its teacher {student.id} failed: {reason}"
    assert storage.trial(last.id).read_json("result.json")["reason"] == reason
    assert queue.lost == []


def test_without_a_teacher_s_result_a_trial_is_lost_with_it(tmp_path: Path, trial: Trial) -> None:
    waits = {"student": ("teacher",), "next": ("student",)}
    queue = Queue(dict.fromkeys(("teacher", "student", "next"), trial), Storage(tmp_path), waits)
    queue.take()
    queue.ended("teacher")
    assert taken(queue) == []
    assert queue.lost == ["teacher", "student", "next"]


def test_the_queue_has_the_teachers_too_and_each_once(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    students = [trial.but(targets=Use(SelfDistilled), seed=seed) for seed in (0, 0, 1)]
    teachers = [teacher for student in students for teacher in student.teachers()]
    assert len({teacher.id for teacher in teachers}) == 2
    finish(storage, teachers[-1].id)
    queue = launch.queue({student.id: student for student in students}, storage)
    assert taken(queue) == [teachers[0].id, students[-1].id]
    finish(storage, teachers[0].id)
    queue.ended(teachers[0].id)
    assert taken(queue) == [students[0].id]


class Listed:
    """A search that asks for the trials of a list, and notes which ones have ended."""

    def __init__(self, trial: Trial, *ids: str, ahead: int = 9) -> None:
        self.ahead = ahead
        self.lost: list[str] = []
        self.left = list(ids)
        self.noted: list[str] = []
        self.trial = trial

    def take(self) -> tuple[str, Trial] | None:
        return (self.left.pop(0), self.trial) if self.left else None

    def ended(self, trial_id: str) -> None:
        self.noted.append(trial_id)


def test_the_search_with_the_fewest_running_is_next(tmp_path: Path, trial: Trial) -> None:
    feed = Feed([Listed(trial, "a1", "a2", "a3"), Listed(trial, "b1", "b2")], Storage(tmp_path))
    given = [feed.suggest(f"t{i}")["id"] for i in range(4)]
    assert given == ["a1", "b1", "a2", "b2"]
    feed.on_trial_complete("t1")
    feed.on_trial_complete("t3")
    assert feed.suggest("t4")["id"] == "a3"
    assert feed.suggest("t5") is None  # others run: their ends may bring more
    for i in (0, 2, 4):
        feed.on_trial_complete(f"t{i}")
    assert feed.suggest("t6") == Searcher.FINISHED


def test_a_search_asks_only_as_far_ahead_of_its_results_as_it_may(
    tmp_path: Path, trial: Trial
) -> None:
    feed = Feed([Listed(trial, "a", "b", "c", ahead=1)], Storage(tmp_path))
    assert feed.suggest("t0")["id"] == "a"
    assert feed.suggest("t1") is None
    assert feed.waiting == ["a"]
    feed.place("t0", placed=True)
    assert feed.suggest("t1")["id"] == "b"
    assert feed.waiting == ["b"]
    several = Feed([Listed(trial, "a", "b", "c", ahead=1)], Storage(tmp_path), ahead=2)
    assert [several.suggest(f"t{i}") is None for i in range(3)] == [False, False, True]


def test_a_trial_that_two_searches_ask_for_is_trained_once_and_told_to_both(
    tmp_path: Path, trial: Trial
) -> None:
    one, other = Listed(trial, "x"), Listed(trial, "x", "y")
    feed = Feed([one, other], Storage(tmp_path))
    assert [feed.suggest(f"t{i}")["id"] for i in range(2)] == ["x", "y"]
    feed.on_trial_complete("t0")
    assert one.noted == other.noted == ["x"]


def test_what_is_out_of_memory_is_set_aside_and_told_when_it_was_tried_again(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    search = Listed(trial, "x", "y", "x")
    feed = Feed([search], storage)
    feed.suggest("t0")
    finish(storage, "x", "out of GPU memory")
    feed.on_trial_complete("t0")
    assert (search.noted, feed.aside) == ([], {"x": trial})
    assert feed.suggest("t1")["id"] == "y"
    feed.on_trial_complete("t1")
    assert feed.suggest("t2") == Searcher.FINISHED  # x is not handed out a second time
    finish(storage, "x", "out of GPU memory", retried=True)
    feed.take_back()
    assert (search.noted, feed.aside) == (["y", "x"], {})


def test_what_comes_along_is_the_trial_itself(tmp_path: Path, trial: Trial) -> None:
    assert Feed([Listed(trial, "x")], Storage(tmp_path)).suggest("t")["trial"] == trial


class Begun:
    """A trial as Tune has it."""

    trial_id = "t0"
    config: ClassVar = {"id": "x"}


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_while_nothing_can_be_placed_a_line_says_what_waits(
    tmp_path: Path,
    trial: Trial,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(launch, "WAITING_SECONDS", 0.2)
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
    watch.on_trial_start(0, [], Begun())
    time.sleep(0.3)
    watch.on_step_end(0, [])
    assert capsys.readouterr().out == ""
