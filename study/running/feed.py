"""Feed: what is trained next; the one place that hands out trials."""

import math
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.search import Searcher

from study.running.shares import Share
from study.running.sources import TrialSource
from trainables.storage.claims import LOOK_SECONDS, Command, Others, of_trial
from trainables.storage.storage import Storage
from trainables.trial import Trial

HANDED_OUT_AGAIN = 2  # times at most, a trial that Tune has given up
BESIDE_OTHERS = 4  # trials that may wait for a place, or as many as run, if other commands live


@dataclass(frozen=True)
class Taken:
    """What a worker trains: a trial, or those of a group that is fused."""

    source: int  # which one asks for them
    trials: Mapping[str, Trial]  # by id
    fused: bool

    @property
    def config(self) -> dict[str, Any]:
        """As Tune has it."""
        (trial_id, trial), *others = self.trials.items()
        beside = {"beside": dict(others)} if self.fused else {}
        return {"id": trial_id, "trial": trial, **beside}


class Feed(Searcher):
    """Hands out trials, the one place that does: next one of the source with the fewest running.

    What another command trains is passed over, and waited for. It is handed out when that command
    dies. A worker that starts on a trial claims it, so few are handed out ahead beside others: they
    would be gone by then. Beside other commands on a cluster no more of them are out than its share
    has places for. All state is in the storage, so that Tune has nothing to save.
    """

    def __init__(
        self,
        sources: Sequence[TrialSource],
        storage: Storage,
        ahead: int = 0,
        command: Command | None = None,
    ) -> None:
        super().__init__()
        self._command, self._others = command, Others(command)
        self._elsewhere: dict[str, tuple[int, Trial]] = {}  # source and trial, by id: waited for
        self._looked = 0.0  # when it was looked at how far those are
        self._named: set[str] = set()  # the commands that have been said to be waited for
        self.aside: dict[str, Trial] = {}  # ran out of GPU memory: to be tried once more, by id
        self.broken: Exception | None = None  # Tune would go on, or try a trial again: it ends
        self.sources, self._storage, self._ahead = list(sources), storage, ahead
        self._running: dict[str, Taken] = {}  # by Tune's id
        self._started: set[str] = set()  # Tune's ids
        self._again: deque[Taken] = deque()
        self._given_up = Counter[str]()
        self.ids: dict[str, tuple[str, ...]] = {}  # by Tune's
        self.share = Share()
        self.limit: int | None = None  # the share's, as of Tune's last step
        self._dry = False  # the sources had no more, when they were last asked
        self._withdrawn: set[str] = set()  # Tune's ids

    @property
    def waiting(self) -> list[str]:
        """The ids of those that are handed out and have no place yet."""
        waiting = (t for tune_id, t in self._running.items() if tune_id not in self._started)
        return [trial_id for taken in waiting for trial_id in taken.trials]

    @property
    def out(self) -> int:
        """How many are handed out, and have not ended."""
        return len(self._running)

    def demand(self) -> tuple[int, float]:
        """How many have a place, and how many would, if there were places for all."""
        return len(self._started), self.out if self._dry else math.inf

    @property
    def held(self) -> bool:
        """Whether it is over only as there is no place, or as all that is left is elsewhere.

        Tune would wait, and keep the place of its last trial.
        """
        return bool(self._again or self._elsewhere) and not self.broken

    def wait(self) -> None:
        """Until there is something to train, and a place, or nothing more to wait for."""
        while self._elsewhere and not self._again and not self.broken:
            time.sleep(LOOK_SECONDS)
            self._look_elsewhere()
            if not self._again and (taken := self._next()):  # it waited for what has ended there
                self._again.append(taken)
        self._dry = False  # it may want places again
        self.share.wait()

    def withdraw(self, tune_id: str) -> None:
        """It has no place, and Tune is about to stop it: it is handed out again, before others."""
        self._withdrawn.add(tune_id)

    def end(self, error: Exception) -> None:
        """Hands out no more; the error is raised when what runs has ended."""
        self.broken = self.broken or error

    def elsewhere(self, trial_id: str) -> bool:
        """Whether another command has claimed it, which lives."""
        return bool(self._others.holder(of_trial(trial_id)))

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
        self._look_elsewhere()
        taken = self._again.popleft() if self._again else self._next()
        self._dry = taken is None
        if taken and self.limit is not None and self.out >= self.limit:
            self._again.appendleft(taken)
            return None
        return self._hand_out(trial_id, taken) if taken else None

    def _next(self) -> Taken | None:
        running, waiting = Counter[int](), Counter[int]()
        for tune_id, out in self._running.items():
            running[out.source] += 1
            waiting[out.source] += tune_id not in self._started
        for i, source in sorted(enumerate(self.sources), key=lambda item: running[item[0]]):
            ahead = max(source.ahead, self._ahead)
            if self._others.now():
                ahead = min(ahead, max(BESIDE_OTHERS, running[i] - waiting[i]))
            if waiting[i] >= ahead:
                continue
            while (taken := source.take()) is not None:
                if self._wanted(i, *taken):
                    return self._with_others(i, *taken)
        return None

    def _with_others(self, source: int, trial_id: str, trial: Trial) -> Taken:
        others = self.sources[source].beside(trial_id, trial)
        wanted = {i: t for i, t in (others or {}).items() if self._wanted(source, i, t)}
        return Taken(source, {trial_id: trial, **wanted}, fused=others is not None)

    def _wanted(self, source: int, trial_id: str, trial: Trial) -> bool:
        """Whether it is to be trained now, and here."""
        busy = {running_id for taken in self._running.values() for running_id in taken.trials}
        if trial_id in busy | self.aside.keys() | self._elsewhere.keys():
            return False  # for another source: this one is told, too, when it has ended
        return not self._passed_over(source, trial_id, trial)

    def _passed_over(self, source: int, trial_id: str, trial: Trial) -> bool:
        """Whether another command has trained it meanwhile, or does."""
        others = self._others.now()
        if self._others.ever and self._storage.trial(trial_id).final_result():
            self._tell(trial_id)
            return True
        if token := self._others.holder(of_trial(trial_id)):
            self._wait_for(source, trial_id, trial, others[token])
            return True
        return False

    def _wait_for(self, source: int, trial_id: str, trial: Trial, command: str) -> None:
        self._elsewhere[trial_id] = source, trial
        self._looked = time.monotonic()
        if command not in self._named:
            self._named.add(command)
            print(f"trial {trial_id} is trained by {command}: waiting", flush=True)

    def _look_elsewhere(self) -> None:
        """Whether what other commands trained has ended, or is left to this one."""
        if not self._elsewhere or time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for trial_id, (source, trial) in list(self._elsewhere.items()):
            if self._storage.trial(trial_id).final_result():
                del self._elsewhere[trial_id]
                self._tell(trial_id)
            elif not self._others.holder(of_trial(trial_id)):
                del self._elsewhere[trial_id]
                self._again.append(self._with_others(source, trial_id, trial))

    def _hand_out(self, tune_id: str, taken: Taken) -> dict[str, Any]:
        self._running[tune_id] = taken
        self.ids[tune_id] = tuple(taken.trials)
        return taken.config

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        taken = self._running.pop(trial_id)
        self._started.discard(trial_id)
        if trial_id in self._withdrawn:
            self._again.appendleft(taken)
            return
        elsewhere = dict((result or {}).get("elsewhere", ()))
        try:
            again = {
                ended: trial
                for ended, trial in taken.trials.items()
                if not self._settled(taken.source, ended, trial, elsewhere.get(ended), error)
            }
        except Exception as failed:  # raised when what runs has ended
            self.broken = failed
            return
        if again:
            self._again.append(Taken(taken.source, again, taken.fused))

    def _settled(
        self, source: int, ended: str, trial: Trial, other: str | None, error: bool
    ) -> bool:
        """Whether this command has done with the trial that has ended; else it begins again.

        `other`: the command that trains it.
        """
        if other:
            self._wait_for(source, ended, trial, other)
            return True
        stored = self._storage.trial(ended).result()
        # Of a lost worker with two tasks under way Tune takes the second failure for one that it
        # cannot recover from.
        if error and stored is None and self._given_up[ended] < HANDED_OUT_AGAIN:
            self._given_up[ended] += 1
            return False
        if self._command and not (stored and stored.final):
            # Lost here, pruned, or set aside: nobody waits for what this command does not do.
            self._command.release(of_trial(ended))
        if stored and not stored.final:
            self.aside[ended] = trial
        else:
            self._tell(ended)
        return True

    def _tell(self, trial_id: str) -> None:
        for source in self.sources:
            source.ended(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
