"""Trials that the tracker does not read in each round: pruned, not begun or ended."""

from pathlib import Path

from mlflow import MlflowClient

from analysis.plan import Plan
from study.grids.lay_out import lay_out
from study.tracking.tracker import Tracker
from tests.study.tracking.projected import (
    OVERRIDES,
    Watched,
    epoch,
    resolved,
    resting_and_pruned,
    runs,
    statuses,
    track,
)
from trainables.storage.storage import Storage
from trainables.training.fit import fail
from trainables.trial import Trial


def read_in_a_round(tracker: Tracker) -> list[str]:
    assert isinstance(tracker.storage, Watched)
    tracker.storage.asked.clear()
    tracker._synchronise(last=False)
    return list(tracker.storage.asked)


def newest(tracker: Tracker, trial: Trial) -> tuple[str, str, int]:
    (run,) = (r for r in runs(tracker.uri, "trial") if r.data.tags["trial_id"] == trial.id)
    return run.info.status, run.data.tags["status"], int(run.data.metrics["epoch"])


def test_a_result_that_is_written_is_not_read_again(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    _, storage, plan, _ = recorded
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", storage, plan)
    for _ in range(2):  # the second time it is seen that all is there
        tracker._synchronise(last=False)
    tracker.storage = Storage(tmp_path / "elsewhere")
    tracker.start()
    assert tracker.stop() == []
    assert {run.data.tags["status"] for run in runs(tracker.uri, "trial")} == {"finished"}


def test_what_is_pruned_or_not_begun_is_read_once_until_it_is_begun(tmp_path: Path) -> None:
    rounds: list[int] = []
    pruned: list[str] = []

    def asked() -> list[str]:
        rounds.append(len(pruned))
        return pruned

    tracker, some = resting_and_pruned(tmp_path, asked)
    pruned.append(some.id)
    assert read_in_a_round(tracker) == tracker.plan.trials()
    assert read_in_a_round(tracker) == []
    assert len(rounds) == 2  # what is pruned is asked for once a round
    assert newest(tracker, some) == ("KILLED", "pruned", 1)

    pruned.clear()  # another search goes on with it
    tracker.begun(some.id)
    for number in (2, 3):
        history = [epoch(i + 1) for i in range(number)]
        Storage(tmp_path).trial(some.id).shelf.write_json("history.json", history)
        assert read_in_a_round(tracker) == [some.id]
        assert newest(tracker, some) == ("RUNNING", "running", number)
    pruned.append(some.id)
    assert read_in_a_round(tracker) == [some.id]
    assert read_in_a_round(tracker) == []
    assert newest(tracker, some) == ("KILLED", "pruned", 3)
    Storage(tmp_path).trial(some.id).write_history([epoch(i) for i in range(1, 5)])
    tracker.start()
    tracker.stop()
    assert newest(tracker, some) == ("KILLED", "pruned", 4)  # the last round reads everything


def test_of_a_pruned_trial_it_is_told_once_what_it_took(tmp_path: Path) -> None:
    tracker, some = resting_and_pruned(tmp_path, lambda: [some.id])
    history = [epoch(1), {**epoch(2), "seconds": 7.5}]
    points = []
    for rows in (history[:1], history, history):  # the first as an earlier version wrote it
        Storage(tmp_path).trial(some.id).shelf.write_json("history.json", rows)
        track(tracker.uri, tracker.storage, tracker.plan, lambda: [some.id])
        (run,) = runs(tracker.uri, "trial")
        found = MlflowClient(tracker.uri).get_metric_history(run.info.run_id, "seconds")
        points.append([(p.value, p.step, p.timestamp) for p in found])
    assert points == [[], *2 * [[(7.5, 0, 1_700_000_002_000)]]]


def test_a_pruned_trial_that_is_begun_in_the_middle_of_a_round_is_read_in_the_next(
    tmp_path: Path,
) -> None:
    def pruned() -> list[str]:
        tracker.begun(some.id)  # as the main thread may at any moment
        return [some.id]

    tracker, some = resting_and_pruned(tmp_path, pruned)
    assert some.id in read_in_a_round(tracker)
    assert read_in_a_round(tracker) == [some.id]


def test_a_trial_that_failed_untrained_with_its_teacher_is_written_while_others_run(
    tmp_path: Path,
) -> None:
    tracker, teacher = resting_and_pruned(tmp_path, list)
    _, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    student = list(trials)[1]
    tracker.begun(teacher.id)
    tracker.follow([teacher.id, student.id])
    tracker._synchronise(last=False)
    fail(teacher, Storage(tmp_path), "bad data")
    tracker._synchronise(last=False)
    fail(student, Storage(tmp_path), "its teacher failed")
    for _ in range(2):
        tracker._synchronise(last=False)
    assert statuses(tracker.uri, "trial") == ["FAILED", "FAILED"]
