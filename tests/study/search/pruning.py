"""A laboratory for searches that prune, which counts what happens and is killed at any event."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage

from study.request import Options
from study.search.search import Search
from study.search.sharing import SharedSearch
from study.search.space import Space
from tests.study.laboratory import ready
from trainables.storage.storage import Storage
from trainables.trial import Trial

EPOCHS = 4
WRITES = (
    "create_new_trial",
    "set_trial_intermediate_value",
    "set_trial_system_attr",
    "set_trial_state_values",
)
Value = Callable[[Trial, int], float]


class Killed(Exception):
    """The driver, at an event."""


def value(trial: Trial, epoch: int) -> float:
    """After an epoch; the maximum is inside the space."""
    end = 1 - (math.log10(trial.recipe.lr) + 2) ** 2 / 10 + trial.targets["epsilon"] / 10
    return end - 0.3 / epoch


class Laboratory:
    """A folder of histories and results, and a database, at one trial at a time."""

    def __init__(
        self, folder: Path, space: Space, value: Value = value, database: BaseStorage | None = None
    ) -> None:
        self.storage, self.space, self.value = Storage(folder), space, value
        self.database = database or InMemoryStorage()
        self.events, self.cut = 0, -1
        self.made: list[tuple[str, int]] = []  # epochs, by trial id
        for name in WRITES:
            setattr(self.database, name, self._cutting(getattr(self.database, name)))

    def _cutting(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def cutting(*args: Any, **kwargs: Any) -> Any:
            self.event()
            return write(*args, **kwargs)

        return cutting

    def event(self) -> None:
        self.events += 1
        if self.events == self.cut:
            raise Killed

    def search(self, points: int = 9, pruner: str = "median", **options: Any) -> Search:
        what = SharedSearch(label="tuned: x", column="accuracy", rows=("x",), space=self.space)
        given = Options(points, pruner=pruner, **options)
        return Search(what, given, "last", "study", self.database, self.storage, ready)

    def train(self, search: Search, trial_id: str, trial: Trial) -> bool:
        """As a worker and Tune do; whether it came to its end."""
        shelf = self.storage.trial(trial_id).shelf
        assert shelf.read("result.json") is None
        history = shelf.read_json("history.json") or []
        while len(history) < trial.recipe.epochs:
            self.event()
            epoch = len(history) + 1
            now = self.value(trial, epoch)
            if not math.isfinite(now):
                shelf.write_json("result.json", {"selected": {}, "history": history})
                return True
            history.append({"epoch": epoch, "validation.accuracy": now})
            self.made.append((trial_id, epoch))
            shelf.write_json("history.json", history)
            self.event()
            if not search.reported(trial_id):
                return False
        selected = {"last": {"validation.accuracy": history[-1]["validation.accuracy"]}}
        shelf.write_json("result.json", {"selected": selected, "history": history})
        return True

    def run(self, search: Search) -> Search:
        while (taken := search.take()) is not None:
            self.event()
            self.train(search, *taken)
            self.event()
            search.ended(taken[0])
        assert search.over
        return search
