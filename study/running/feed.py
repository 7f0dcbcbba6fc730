"""Feed: what is trained next; the one place that hands out trials."""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from ray.tune.search import Searcher

from study.running.scheduler import Waiting
from study.running.shares import Share
from trainables.storage.storage import Storage
from trainables.training.fit import fail
from trainables.trial import Trial

HANDED_OUT_AGAIN = 2  # times at most, a trial that Tune has given up


class TrialSource(Waiting, Protocol):
    """What asks for trials to be trained: the trials of a table, or a search."""

    ahead: int  # so many of its trials may wait for a place
    lost: list[str]  # the ids of those that will have no result

    def take(self) -> tuple[str, Trial] | None: ...

    def ended(self, trial_id: str) -> None: ...


class Queue:
    """Trials as they are listed. One that waits for others is handed out when they have results.

    Where one of those has failed, it fails as well, untrained.
    """

    ahead = 200

    def __init__(
        self,
        trials: Mapping[str, Trial],
        storage: Storage,
        teachers: Mapping[str, Sequence[str]] = MappingProxyType({}),  # ids, by id
    ) -> None:
        self.lost: list[str] = []
        self.trials, self._storage, self._teachers = trials, storage, teachers
        self._waiting = [trial_id for trial_id in trials if teachers.get(trial_id)]
        self._next = deque(trial_id for trial_id in trials if not teachers.get(trial_id))
        self._look()

    def take(self) -> tuple[str, Trial] | None:
        if not self._next:
            return None
        trial_id = self._next.popleft()
        return trial_id, self.trials[trial_id]

    def reported(self, trial_id: str) -> bool:
        return trial_id in self.trials

    def ended(self, trial_id: str) -> None:
        if trial_id in self.trials and not self._storage.trial(trial_id).final_result():
            self.lost.append(trial_id)
        self._look()

    def _look(self) -> None:
        """Settles those that wait for nothing any more, until there is none."""
        while settled := [i for i in self._waiting if self._settle(i)]:
            self._waiting = [i for i in self._waiting if i not in settled]

    def _settle(self, trial_id: str) -> bool:
        """Whether it waits no more: it is the next, has failed, or is lost."""
        for teacher in self._teachers[trial_id]:
            if teacher in self.lost:
                self.lost.append(trial_id)
                return True
            result = self._storage.trial(teacher).final_result()
            if result is None:
                return False
            if result.failed:
                reason = f"its teacher {teacher} failed: {result.reason}"
                fail(self.trials[trial_id], self._storage, reason)
                return True
        self._next.append(trial_id)
        return True


def queue(trials: Mapping[str, Trial], storage: Storage) -> Queue:
    """Of the trials, and of those without a result that they learn from."""
    wanted, teachers = dict(trials), {}
    left = list(trials.items())
    while left:
        trial_id, trial = left.pop()
        needed = {teacher.id: teacher for teacher in trial.teachers()}
        teachers[trial_id] = tuple(needed)
        for teacher_id, teacher in needed.items():
            if teacher_id not in wanted and not storage.trial(teacher_id).final_result():
                wanted[teacher_id] = teacher
                left.append((teacher_id, teacher))
    return Queue(wanted, storage, teachers)


class Feed(Searcher):
    """Hands out trials, the one place that does: next one of the source with the fewest running.

    Beside other commands on a cluster no more of them are out than its share has places for. All
    state is in the storage, so that Tune has nothing to save.
    """

    def __init__(self, sources: Sequence[TrialSource], storage: Storage, ahead: int = 0) -> None:
        super().__init__()
        self.aside: dict[str, Trial] = {}  # ran out of GPU memory: to be tried once more, by id
        self.broken: Exception | None = None  # Tune would go on, or try a trial again: it ends
        self.sources, self._storage, self._ahead = list(sources), storage, ahead
        self._running: dict[str, tuple[int, str, Trial]] = {}  # source, id, trial, by Tune's id
        self._started: set[str] = set()  # Tune's ids
        self._again: deque[tuple[int, str, Trial]] = deque()
        self._given_up = Counter[str]()
        self.ids: dict[str, str] = {}  # by Tune's
        self.share = Share()
        self.limit: int | None = None  # the share's, as of Tune's last step
        self._dry = False  # the sources had no more, when they were last asked
        self._withdrawn: set[str] = set()  # Tune's ids

    @property
    def waiting(self) -> list[str]:
        """The ids of those that are handed out and have no place yet."""
        return [i for tune_id, (_, i, _) in self._running.items() if tune_id not in self._started]

    @property
    def out(self) -> int:
        """How many are handed out, and have not ended."""
        return len(self._running)

    def demand(self) -> tuple[int, float]:
        """How many have a place, and how many would, if there were places for all."""
        return len(self._started), self.out if self._dry else math.inf

    @property
    def held(self) -> bool:
        """Whether it is over only as there is no place: Tune would wait, and keep its last one."""
        return bool(self._again) and not self.broken

    def withdraw(self, tune_id: str) -> None:
        """It has no place, and Tune is about to stop it: it is handed out again, before others."""
        self._withdrawn.add(tune_id)

    def end(self, error: Exception) -> None:
        """Hands out no more; the error is raised when what runs has ended."""
        self.broken = self.broken or error

    def place(self, tune_id: str, placed: bool) -> None:
        """A trial has got a place, or has lost it with its worker."""
        (self._started.add if placed else self._started.discard)(tune_id)

    def take_back(self) -> None:
        """Those that were set aside have ended."""
        ended, self.aside = self.aside, {}
        for trial_id in ended:
            self._tell(trial_id)

    def suggest(self, trial_id: str) -> Any:
        try:
            given = None if self.broken else self._take(trial_id)
        except Exception as error:  # raised when what runs has ended
            given, self.broken = None, error
        return given or (None if self._running else Searcher.FINISHED)

    def _take(self, trial_id: str) -> dict[str, Any] | None:
        taken = self._again.popleft() if self._again else self._next()
        self._dry = taken is None
        if taken and self.limit is not None and self.out >= self.limit:
            self._again.appendleft(taken)
            return None
        return taken and self._hand_out(trial_id, *taken)

    def _next(self) -> tuple[int, str, Trial] | None:
        running, waiting = Counter[int](), Counter[int]()
        for tune_id, (i, _, _) in self._running.items():
            running[i] += 1
            waiting[i] += tune_id not in self._started
        for i, source in sorted(enumerate(self.sources), key=lambda item: running[item[0]]):
            if waiting[i] >= max(source.ahead, self._ahead):
                continue
            while (taken := source.take()) is not None:
                busy = {running_id for _, running_id, _ in self._running.values()}
                if taken[0] not in busy and taken[0] not in self.aside:
                    return i, *taken
                # Another one trains it already: this one is told, too, when it has ended.
        return None

    def _hand_out(self, tune_id: str, source: int, trial_id: str, trial: Trial) -> dict[str, Any]:
        self._running[tune_id] = source, trial_id, trial
        self.ids[tune_id] = trial_id
        return {"id": trial_id, "trial": trial}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        source, ended, trial = self._running.pop(trial_id)
        self._started.discard(trial_id)
        if trial_id in self._withdrawn:
            self._again.appendleft((source, ended, trial))
            return
        try:
            stored = self._storage.trial(ended).result()
            # Of a lost worker with two tasks under way Tune takes the second failure for one that
            # it cannot recover from.
            if error and stored is None and self._given_up[ended] < HANDED_OUT_AGAIN:
                self._given_up[ended] += 1
                self._again.append((source, ended, trial))
            elif stored is not None and not stored.final:
                self.aside[ended] = trial
            else:
                self._tell(ended)
        except Exception as error:  # raised when what runs has ended
            self.broken = error

    def _tell(self, trial_id: str) -> None:
        for source in self.sources:
            source.ended(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
