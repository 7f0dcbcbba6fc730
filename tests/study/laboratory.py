"""Searches with the real Optuna whose trials are not trained: what they score is made up."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.plan import Plan
from study.grids.lay_out import lay_out
from study.request import Options
from study.search.database import open_storage
from study.search.search import Search
from study.search.sharing import SharedSearch
from study.search.space import Space
from trainables.storage.storage import Storage
from trainables.trial import Trial

Score = Callable[[Trial], float]


def ready(trial: Trial) -> tuple[Trial, str]:
    resolved = trial.resolved(Path("/nowhere"), {})
    return resolved, resolved.id


class Laboratory:
    """A folder with results and, by default there, an Optuna database; counts what is trained."""

    def __init__(self, folder: Path, space: Space, score: Score, url: str | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.storage, self.space, self.score = Storage(folder), space, score
        self.url = url or f"sqlite:///{folder / 'optuna.db'}"
        self.trained: list[str] = []

    def search(self, points: int, fuse: int = 1, **options: Any) -> Search:
        """As a newly started command opens it."""
        what = SharedSearch(label="tuned: x", column="accuracy", rows=("x",), space=self.space)
        database = open_storage(self.url)
        given = Options(points, **options)
        return Search(what, given, "last", "study", database, self.storage, ready, fuse)

    def train(self, trial_id: str, trial: Trial) -> None:
        """Writes a result. A score that is not finite is a failure."""
        assert self.storage.trial(trial_id).shelf.read("result.json") is None
        value = self.score(trial)
        finished = math.isfinite(value)
        selected = {"last": {"validation.accuracy": value}} if finished else {}
        self.trained.append(trial_id)
        self.storage.trial(trial_id).shelf.write_json("result.json", {"selected": selected})

    def run(self, search: Search) -> Search:
        """To its end, one trial or one group of fused trials at a time."""
        while given := group(search):
            for taken in given.items():
                self.train(*taken)
            for trial_id in given:
                search.ended(trial_id)
        assert search.over
        return search


def group(search: Search) -> dict[str, Trial]:
    """What one worker is given next; empty where nothing is to be trained now."""
    if (taken := search.take()) is None:
        return {}
    return dict([taken]) | (search.beside(*taken) or {})


def plan_of(name: str) -> Plan:
    return lay_out(name, "demo", 2, (), ready)[0]
