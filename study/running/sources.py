"""Sources: what asks for trials to be trained; a search is one as well (study/search)."""

import math
import random
from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from study.running.scheduler import Waiting
from trainables.storage.claims import Command
from trainables.storage.storage import Storage
from trainables.training.fit import fail
from trainables.training.fused import alike, unfused
from trainables.trial import Trial


class TrialSource(Waiting, Protocol):
    """What asks for trials to be trained: the trials of a table, or a search."""

    ahead: int  # so many of its trials may wait for a place
    lost: list[str]  # the ids of those that will have no result

    def take(self) -> tuple[str, Trial] | None: ...

    def beside(self, trial_id: str, trial: Trial) -> dict[str, Trial] | None:
        """Takes those, too, that are to be fused with one that is taken. None: it is not fused."""

    def ended(self, trial_id: str) -> None: ...


class Queue:
    """Trials as they are listed. One that waits for others is handed out when they have results.

    Where one of those has failed, it fails as well, untrained. Up to `fuse` that are alike are
    taken together.
    """

    ahead = 200

    def __init__(
        self,
        trials: Mapping[str, Trial],
        storage: Storage,
        teachers: Mapping[str, Sequence[str]] = MappingProxyType({}),  # ids, by id
        fuse: int = 1,
    ) -> None:
        self.lost: list[str] = []
        self._fuse = fuse
        fused = trials.items() if fuse > 1 else ()
        self._kinds = {i: alike(trial) for i, trial in fused if not unfused(trial)}
        self.trials, self._storage, self._teachers = trials, storage, teachers
        self._waiting = [trial_id for trial_id in trials if teachers.get(trial_id)]
        self._next = deque(trial_id for trial_id in trials if not teachers.get(trial_id))
        self._look()

    def take(self) -> tuple[str, Trial] | None:
        if not self._next:
            return None
        trial_id = self._next.popleft()
        return trial_id, self.trials[trial_id]

    def beside(self, trial_id: str, trial: Trial) -> dict[str, Trial] | None:
        """Of those that wait for nothing; groups are of about one size."""
        if trial_id not in self._kinds:
            return None
        kind = self._kinds[trial_id]
        others = [i for i in self._next if self._kinds.get(i) == kind]
        count = len(others) + 1
        taken = others[: math.ceil(count / math.ceil(count / self._fuse)) - 1]
        self._next = deque(i for i in self._next if i not in taken)
        return {i: self.trials[i] for i in taken}

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


def queue(
    trials: Mapping[str, Trial], storage: Storage, command: Command | None = None, fuse: int = 1
) -> Queue:
    """Of the trials, and of those without a result that they learn from.

    Beside other commands in an order of its own, since those may go through the same trials.
    """
    left = list(trials.items())
    if command and command.others():
        random.Random(command.token).shuffle(left)
    wanted, teachers = dict(left), {}
    while left:
        trial_id, trial = left.pop()
        needed = {teacher.id: teacher for teacher in trial.teachers()}
        teachers[trial_id] = tuple(needed)
        for teacher_id, teacher in needed.items():
            if teacher_id not in wanted and not storage.trial(teacher_id).final_result():
                wanted[teacher_id] = teacher
                left.append((teacher_id, teacher))
    return Queue(wanted, storage, teachers, fuse)
