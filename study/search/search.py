"""Search: Optuna's ask and tell over a persistent storage, as trials that a study can run.

A point is drawn in memory, from all earlier points and a sampler made anew with a seed of its own,
and stored whole. So a search that was killed finds each point that it had asked for, complete, and
at one trial at a time goes on exactly as if it had never been interrupted.

The objective is the validation accuracy under the rule that the table is read by, averaged over the
search's seeds. Searched trials have no test images, and always validation images.

A pruner sees the objective as it would be, had the training ended at that epoch, of the point's
first seed only: points are compared on the same data, order and initial weights, and the further
seeds of a poor point are never begun.
"""

import math
from collections import deque
from statistics import fmean
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from study.search.points import FIRST_SEED, REPEATS, SAMPLERS, Options, Ready, searched
from study.search.pruners import Course, pruner_settings
from study.search.sharing import Shared
from trainables.seeding import seed_of
from trainables.selection import RULES, Epoch
from trainables.settings import Invalid, Scalar
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.trial import PROTOCOL, Trial

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Search:
    """One search: an Optuna study, and the trials whose results it needs.

    `take` gives the next trial to train, `reported` is told of each epoch of each trial and `ended`
    of each one that has ended. All read what the storage has, so that no trial with a result is
    trained, whoever trained it.
    """

    ahead = 1  # a point is drawn with as many results as there can be: one waits for a place

    def __init__(
        self,
        what: Shared,
        options: Options,
        rule: str,
        prefix: str,
        database: optuna.storages.BaseStorage,
        storage: Storage,
        ready: Ready,
    ) -> None:
        self.what, self.options = what, options
        self.asked: list[str] = []  # ids of every trial that this search needs, in their order
        self.lost: list[str] = []  # ids of those that ended without a result: it goes no further
        self.pruned: list[str] = []  # ids of those that were stopped early
        self._rule, self._storage, self._ready = rule, storage, ready
        self._prunes, self._database = options.pruner != "none", database
        self._courses: dict[int, Course] = {}  # of points that may be pruned, by their number
        self._jobs: deque[tuple[str, Trial]] = deque()
        self._teaching: set[str] = set()  # ids of teachers that are to be trained, or are
        self._waiting: dict[int, set[str]] = {}  # ids without a result, by number of the point
        self._made: dict[int, dict[str, Trial]] = {}  # trials by id, by number of the point
        sampler = f"{options.sampler} {options.seed}, {options.seeds} seeds"
        pruner = f", pruner {options.pruner}" if self._prunes else ""
        self.name = f"{prefix}, {what.column}, {what.label}, {sampler}{pruner}"
        self.study = optuna.create_study(
            storage=database, study_name=self.name, direction="maximize", load_if_exists=True
        )
        self._settle_record()
        for point in self._points():
            trials = self._trials(point)
            self.asked += [i for i in trials if i not in self.asked]
            if point.state == TrialState.PRUNED and "repeats" not in point.user_attrs:
                self.pruned.append(next(iter(trials)))

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

    def take(self) -> tuple[str, Trial] | None:
        """A trial to be trained now; None while it waits for running ones, or is over."""
        while not self._jobs:
            if not self._next_point():
                return None
        for job in self._jobs:
            if not self._untaught(job[1]):
                self._jobs.remove(job)
                return job
        return None

    def pending(self) -> bool:
        """Whether anything is to be trained; what is not, is told."""
        taken = self.take()
        if taken is not None:
            self._jobs.appendleft(taken)
        return taken is not None

    def ended(self, trial_id: str) -> None:
        """To be called for every trial that ended, whichever search it was of."""
        waiting = [n for n, ids in self._waiting.items() if trial_id in ids]
        waited_for = self.waits_for(trial_id)
        self._teaching.discard(trial_id)
        if waited_for and self._result(trial_id) is None:
            self.lost.append(trial_id)
            return
        for number in waiting:
            self._waiting[number].discard(trial_id)
            self._go_on(number, trial_id)

    def reported(self, trial_id: str) -> bool:
        """To be called after each epoch of a trial. Returns whether it is waited for, still."""
        for number, ids in list(self._waiting.items()):
            if self._prunes and trial_id in ids:
                self._prune_if_poor(number)
        return self.waits_for(trial_id)

    def waits_for(self, trial_id: str) -> bool:
        waiting = any(trial_id in ids for ids in list(self._waiting.values()))
        return waiting or trial_id in self._teaching

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
        elif differing := [n for n in {**old, **record} if old.get(n) != record.get(n)]:
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

    def _next_point(self) -> bool:
        """Goes on with a stored point or draws a new one; False where nothing can be done now."""
        if self.lost:
            return False
        points = self._points()
        for point in points:
            if point.state == TrialState.RUNNING and point.number not in self._waiting:
                self._open(point)
                return True
        if self.spent >= self.options.points or self.exhausted:
            return False
        drawn, trial = self._draw()
        same = next((p for p in points if self.what.space.at(FixedTrial(p.params)) == trial), None)
        state, value, values, attributes = TrialState.RUNNING, None, {}, {}
        if same is not None:
            if same.state == TrialState.RUNNING:
                return False  # drawn again when it has a value
            state, value, values = same.state, same.value, same.intermediate_values
            attributes = {"repeats": same.number}
        point = create_trial(
            state=state,
            value=value,
            intermediate_values=values,
            params=drawn.params,
            distributions=drawn.distributions,
            user_attrs=attributes,
        )
        self.study.add_trial(point)
        return True

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

    def _open(self, point: FrozenTrial) -> None:
        trials = self._trials(point)
        self.asked += [i for i in trials if i not in self.asked]
        self._waiting[point.number] = {i for i in trials if self._result(i) is None}
        self._go_on(point.number, None)

    def _go_on(self, number: int, ended: str | None) -> None:
        """After the point was opened, or a trial of it has ended."""
        if self._prunes and self._prune_if_poor(number):
            return
        trials = self._trials(self.study.get_trials(deepcopy=False)[number])
        first = next(iter(trials))
        if ended is None or (self._prunes and ended == first):
            todo = [i for i in trials if i in self._waiting[number]]
            now = [first] if self._prunes and first in todo else todo
            for teacher in dict.fromkeys(t for i in now for t in self._untaught(trials[i])):
                if teacher.id not in self._teaching:
                    self._teaching.add(teacher.id)
                    self.asked += [teacher.id] if teacher.id not in self.asked else []
                    self._jobs.append((teacher.id, teacher))
            self._jobs.extend((i, trials[i]) for i in now)
        self._tell_if_done(number)

    def _untaught(self, trial: Trial) -> list[Trial]:
        """The trial's teachers without a result, which are trained before it."""
        return [teacher for teacher in trial.teachers() if self._result(teacher.id) is None]

    def _prune_if_poor(self, number: int) -> bool:
        """Notes the epochs that the point's first trial has made; whether they end the point.

        Decisions that an earlier command had carried out are not taken again.
        """
        points = self.study.get_trials(deepcopy=False)
        point = points[number]
        first, trial = next(iter(self._trials(point).items()))
        epochs = trial.recipe.epochs
        new = Course(self.name, self.options.pruner, epochs, number)
        course = self._courses.setdefault(number, new)
        study_id = self._database.get_study_id_from_name(self.name)
        point_id = self._database.get_trial_id_from_study_id_trial_number(study_id, number)
        history = self._history(first)
        for epoch in range(len(course.values) + 1, len(history) + 1):
            value = RULES[self._rule](history[:epoch], "validation.accuracy")
            assert value is not None, "searched trials have validation images"
            poor = course.poor(value, points)
            for name, note in course.notes.items():
                self._database.set_trial_system_attr(point_id, name, note)
            self._database.set_trial_intermediate_value(point_id, epoch, value)
            if poor and epoch >= (point.last_step or 0):
                self.study.tell(number, state=TrialState.PRUNED)
                self._waiting[number] = set()
                self.pruned.append(first)
                return True
        return False

    def _tell_if_done(self, number: int) -> None:
        if self._waiting[number]:
            return
        point = self.study.get_trials(deepcopy=False)[number]
        values = [self._value(self._result(i)) for i in self._trials(point)]
        if all(map(math.isfinite, values)):
            self.study.tell(number, fmean(values))
        else:
            self.study.tell(number, state=TrialState.FAIL)

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
