"""What the tests of the projection share: studies, trackers of them, and what MLflow has."""

from collections.abc import Callable
from pathlib import Path

from analysis.plan import Plan
from study.grids.lay_out import lay_out
from study.tracking.tracker import Tracker
from tests.study.command import runs
from trainables.selection import Epoch
from trainables.storage.shelf import Shelf
from trainables.storage.storage import Storage
from trainables.trial import Trial

OVERRIDES = ("recipe.epochs=2", "recipe.milestones=()", "recipe.schedule=constant")


def resolved(trial: Trial) -> tuple[Trial, str]:
    ready = trial.resolved(Path("/nowhere"), {})
    return ready, ready.id


def track(
    uri: str, storage: Storage, plan: Plan, pruned: Callable[[], list[str]] = list
) -> Tracker:
    tracker = Tracker(uri, storage, plan, pruned=pruned)
    tracker.start()
    assert tracker.stop() == []
    assert tracker.behind is None
    return tracker


def statuses(uri: str, kind: str) -> list[str]:
    return [run.info.status for run in runs(uri, kind)]


class Watched(Storage):
    """Notes of which trials files are asked for."""

    def __init__(self, where: Path) -> None:
        super().__init__(where)
        self.asked: list[str] = []

    def trial(self, trial_id: str) -> Shelf:
        self.asked.append(trial_id)
        return super().trial(trial_id)


def resting_and_pruned(tmp_path: Path, pruned: Callable[[], list[str]]) -> tuple[Tracker, Trial]:
    """A tracker of trials that nobody has begun, and one of them with an epoch."""
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    some = next(iter(trials))
    storage = Watched(tmp_path)
    Storage(tmp_path).trial(some.id).shelf.write_json("trial.json", some.flat())
    Storage(tmp_path).trial(some.id).shelf.write_json("history.json", [epoch(1)])
    return Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", storage, plan, pruned=pruned), some


def epoch(number: int) -> Epoch:
    return {"epoch": number, "time": 1_700_000_000.0 + number, "train.loss": 0.5}
