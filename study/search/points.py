"""Points: what a search has asked and been told, kept by Optuna.

A point is drawn in memory, from all earlier points and a sampler made anew with a seed of its own,
and stored whole. So a search that was killed finds each point that it had asked for, complete.

The objective is the validation accuracy under the rule that the table is read by, averaged over the
search's seeds. Searched trials have no test images, and always validation images.
"""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from analysis.plan import Plan
from study.request import Options
from study.search.pruners import pruner_settings
from study.search.sharing import SharedSearch
from study.search.space import FIRST_SEED, searched
from trainables.seeding import seed_of
from trainables.selection import Epoch
from trainables.settings import Invalid, Scalar
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.trial import PROTOCOL, Trial

optuna.logging.set_verbosity(optuna.logging.ERROR)

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed),
}
REPEATS = 20  # so many in a row, and the space is exhausted
Ready = Callable[[Trial], tuple[Trial, str]]  # resolves a trial's files and formats; its id


def objective(plan: Plan) -> str:
    """The selection rule that searched trials are judged by: the one that the table is read by."""
    follows_paper = plan.scale == "paper" and plan.selection != "oracle"
    return plan.selection if follows_paper else "best_validation"


class Points:
    """The points of one search, in an Optuna study. Raises Invalid where that is another search's.

    `ready` resolves a trial's files and formats; `rule` is the selection rule of the objective.
    """

    def __init__(
        self,
        what: SharedSearch,
        options: Options,
        rule: str,
        prefix: str,
        database: optuna.storages.BaseStorage,
        storage: Storage,
        ready: Ready,
        fuse: int = 1,  # so many trials, at most, are trained as one net
    ) -> None:
        self.what, self.options = what, options
        self.batch = what.space.batch(fuse, options.seeds)  # points that are drawn at once
        self._rule, self._storage, self._ready = rule, storage, ready
        self._prunes, self._database = options.pruner != "none", database
        self._made: dict[int, dict[str, Trial]] = {}  # trials by id, by number of the point
        sampler = f"{options.sampler} {options.seed}, {options.seeds} seeds"
        pruner = f", pruner {options.pruner}" if self._prunes else ""
        batches = f", batches of {self.batch}" if self.batch > 1 else ""
        self.name = f"{prefix}, {what.column}, {what.label}, {sampler}{pruner}{batches}"
        self.study = optuna.create_study(
            storage=database, study_name=self.name, direction="maximize", load_if_exists=True
        )
        self._settle_record()

    @property
    def claim(self) -> str:
        """What the command that carries it out claims: a search is one command's at a time."""
        return f"search-{hashlib.sha256(self.name.encode()).hexdigest()[:12]}"

    @property
    def spent(self) -> int:
        """Points that were asked for; a repeated one counts once."""
        return sum("repeats" not in point.user_attrs for point in self._points())

    @property
    def told(self) -> int:
        """Those of them that have a value, were pruned or have failed."""
        points = [point for point in self._points() if "repeats" not in point.user_attrs]
        return sum(point.state.is_finished() for point in points)

    @property
    def budget(self) -> str:
        """What it was given, and with a pruner what it needed of that, in epochs."""
        points, seeds = self.options.points, self.options.seeds
        times = f" x {seeds}" if seeds > 1 else ""
        if not self._prunes:
            return f"{points}{times}"
        asked = [point for point in self._points() if "repeats" not in point.user_attrs]
        epochs = self.what.space.trial.recipe.epochs
        used = sum(map(self._epochs_of, asked))
        return f"{points}{times} points, {used} of {points * seeds * epochs} epochs"

    def points(self) -> list[dict[str, Any]]:
        """Every point in plain data, and which one it repeats."""
        return [
            {
                "number": point.number,
                "state": point.state.name.lower(),
                "value": point.value,
                "epochs": point.intermediate_values,
                "params": point.params,
                "distributions": {
                    name: distribution_to_json(distribution)
                    for name, distribution in point.distributions.items()
                },
                "trials": list(self._trials(point)),
                "repeats": point.user_attrs.get("repeats"),
            }
            for point in self._points()
        ]

    @property
    def exhausted(self) -> bool:
        """The space has no further points, or so it seems."""
        newest = self._points()[-REPEATS:]
        return len(newest) == REPEATS and all("repeats" in point.user_attrs for point in newest)

    @property
    def over(self) -> bool:
        """Every point has a value, was pruned or has failed."""
        left = any(point.state == TrialState.RUNNING for point in self._points())
        return not left and (self.spent >= self.options.points or self.exhausted)

    @property
    def best(self) -> FrozenTrial | None:
        """The point with the highest value, the earliest of equals; None where none has one."""
        told = [point for point in self._points() if point.state == TrialState.COMPLETE]
        return max(told, key=lambda point: (point.value, -point.number), default=None)

    def winner(self) -> Trial:
        """The row's trial, with its own data, at the best point. The search must be over."""
        assert self.over, "the test set is read for the winner only, and there is none yet"
        assert self.best, "no point was trained to its end"
        return self.what.space.at(FixedTrial(self.best.params))

    def _settle_record(self) -> None:
        """Notes what is searched, or raises Invalid where the study was made for something else."""
        ready, _ = self._ready(searched(self.what.space.neutral, FIRST_SEED))
        free = self.what.space.parameters
        held = {name: value for name, value in ready.flat().items() if name not in free}
        record: dict[str, Scalar] = {f"space of {name}": words for name, words in free.items()}
        record |= {**held, "rule": self._rule, "protocol": PROTOCOL}
        # Two storages would take each other's points for their own, and wait for their results.
        record["storage"] = self._storage.identity()
        if self._prunes:
            settings = pruner_settings(self.options.pruner, self.what.space.trial.recipe.epochs)
            record |= {f"pruner.{name}": value for name, value in settings.items()}
        old = self.study.user_attrs.get("record")
        if old is None:
            self.study.set_user_attr("storage", str(self._storage))
            self.study.set_user_attr("record", record)
            self.study.set_user_attr("optuna", optuna.__version__)
            return
        # A setting that came after the record was made, at its default, makes no other trial.
        new = held.keys() - ready.differing().keys() - old.keys()
        if differing := [
            n for n in {**old, **record} if old.get(n) != record.get(n) and n not in new
        ]:
            field = differing[0]
            was = (
                f"of another space: {field} was {old.get(field, 'not there')}, "
                f"is {record.get(field, 'not there')}"
            )
            if "storage" in differing:
                begun = self.study.user_attrs.get("storage", "not known")
                was = f"of another storage, at its begin {begun}; this one is {self._storage}"
            raise Invalid(
                f"--search: the stored search {self.name!r} was {was}; another "
                "--search-seed or --search-storage starts a new one"
            )

    def _points(self) -> list[FrozenTrial]:
        """The stored points, as many as this search may ask for, and repeated ones among them."""
        points, distinct = [], 0
        for point in self.study.get_trials(deepcopy=False):
            distinct += "repeats" not in point.user_attrs
            if distinct > self.options.points:
                break
            points.append(point)
        return points

    def _trials(self, point: FrozenTrial) -> dict[str, Trial]:
        """The trials of a point, by id."""
        if point.number not in self._made:
            trial = self.what.space.at(FixedTrial(point.params))
            seeds = range(FIRST_SEED, FIRST_SEED + self.options.seeds)
            made = [self._ready(searched(trial, seed)) for seed in seeds]
            self._made[point.number] = {trial_id: ready for ready, trial_id in made}
        return self._made[point.number]

    def _draw(self) -> tuple[optuna.Trial, Trial]:
        """The next point, and the row's trial there; the storage is only read."""
        stored = self.study.get_trials(deepcopy=False)
        seed = seed_of(self.options.seed, "search", len(stored)) % 2**32
        twin = optuna.create_study(
            direction="maximize", sampler=SAMPLERS[self.options.sampler](seed)
        )
        twin.add_trials(stored)
        drawn = twin.ask()
        return drawn, self.what.space.at(drawn)

    def _result(self, trial_id: str) -> Result | None:
        """None as long as it is to be trained, or tried once more."""
        return self._storage.trial(trial_id).final_result()

    def _history(self, trial_id: str) -> list[Epoch]:
        """The epochs that the trial has made."""
        result = self._result(trial_id)
        return result.history if result else self._storage.trial(trial_id).history()

    def _epochs_of(self, point: FrozenTrial) -> int:
        """How many the point needed."""
        if point.state == TrialState.PRUNED:
            return point.last_step or 0
        return sum(len(self._history(i)) for i in self._trials(point))

    def _value(self, result: Result | None) -> float:
        """The objective; NaN for a trial that failed."""
        assert result is not None
        selected = result.selected.get(self._rule, {})
        return float(selected.get("validation.accuracy", math.nan))
