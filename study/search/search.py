"""Search: which trials the points of a search need, in which order, and when one is given up.

At one trial at a time, a search that was killed goes on exactly as if it had never been
interrupted. So it does at any number of places where points are drawn in batches, whose trials are
fused: a batch is drawn when all points before it have their value.

A pruner sees the objective as it would be, had the training ended at that epoch, of the point's
first seed only. Points are so compared on the same data, order and initial weights, and the further
seeds of a poor point are never begun.
"""

import math
from collections import deque
from statistics import fmean

import optuna
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from study.request import Options
from study.search.points import Points, Ready
from study.search.pruners import LearningCurve
from study.search.sharing import SharedSearch
from trainables.selection import RULES
from trainables.storage.storage import Storage
from trainables.training.fused import alike, unfused
from trainables.trial import Trial

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Search(Points):
    """One search: its points, and the trials whose results they need.

    `take` gives the next trial to train, `reported` is told of each epoch of each trial and `ended`
    of each one that has ended. All read what the storage has, so that no trial with a result is
    trained, whoever trained it.
    """

    ahead = 1  # a point is drawn with as many results as there can be: one waits for a place

    def __init__(
        self,
        what: SharedSearch,
        options: Options,
        rule: str,
        prefix: str,
        database: optuna.storages.BaseStorage,
        storage: Storage,
        ready: Ready,
        fuse: int = 1,
    ) -> None:
        self._fuse = fuse
        super().__init__(what, options, rule, prefix, database, storage, ready, fuse)
        self.read()

    def read(self) -> None:
        """What is stored of it, by whichever command: nothing is under way from here on."""
        self.asked: list[str] = []  # ids of every trial that this search needs, in their order
        self.lost: list[str] = []  # ids of those that ended without a result: it goes no further
        self.pruned: list[str] = []  # ids of those that were stopped early
        self._curves: dict[int, LearningCurve] = {}  # of points that may be pruned, by number
        self._jobs: deque[tuple[str, Trial]] = deque()
        self._teaching: set[str] = set()  # ids of teachers that are to be trained, or are
        self._waiting: dict[int, set[str]] = {}  # ids without a result, by number of the point
        for point in self._points():
            trials = self._trials(point)
            self.asked += [i for i in trials if i not in self.asked]
            if point.state == TrialState.PRUNED and "repeats" not in point.user_attrs:
                self.pruned.append(next(iter(trials)))

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

    def beside(self, trial_id: str, trial: Trial) -> dict[str, Trial] | None:
        """Of this point and of those of its batch, which are drawn for it, where they are alike."""
        if self._fuse == 1 or unfused(trial):
            return None
        kind, taken = alike(trial), dict[str, Trial]()
        while len(taken) < self._fuse - 1:
            fit = (job for job in self._jobs if not unfused(job[1]) and alike(job[1]) == kind)
            if job := next((job for job in fit if not self._untaught(job[1])), None):
                self._jobs.remove(job)
                taken[job[0]] = job[1]
            elif self._jobs or self.batch == 1 or not self._next_point(begins=False):
                break
        return taken

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

    def _next_point(self, begins: bool = True) -> bool:
        """Goes on with a stored point or draws a new one; False where nothing can be done now.

        `begins`: a new one begins a batch. A batch ends at a multiple of its size, by number, and
        grows only while none of its points is told: so a killed one has the points that it had.
        """
        if self.lost:
            return False
        points = self._points()
        for point in points:
            if _runs(point) and point.number not in self._waiting:
                self._open(point)
                return True
        if self.spent >= self.options.points or self.exhausted:
            return False
        mates = points[len(points) - len(points) % self.batch :]
        if self.batch > 1 and any(map(_runs, points if begins else ())):
            return False
        if not begins and not (mates and all(_runs(p) or "repeats" in p.user_attrs for p in mates)):
            return False
        drawn, trial = self._draw()
        same = next((p for p in points if self.what.space.at(FixedTrial(p.params)) == trial), None)
        state, value, values, attributes = TrialState.RUNNING, None, {}, {}
        if same is not None:
            if _runs(same):
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
        new = LearningCurve(self.name, self.options.pruner, epochs, number)
        curve = self._curves.setdefault(number, new)
        study_id = self._database.get_study_id_from_name(self.name)
        point_id = self._database.get_trial_id_from_study_id_trial_number(study_id, number)
        history = self._history(first)
        for epoch in range(len(curve.values) + 1, len(history) + 1):
            value = RULES[self._rule](history[:epoch], "validation.accuracy")
            assert value is not None, "searched trials have validation images"
            poor = curve.poor(value, points)
            for name, note in curve.notes.items():
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


def _runs(point: FrozenTrial) -> bool:
    return point.state == TrialState.RUNNING
