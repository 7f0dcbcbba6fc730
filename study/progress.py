"""Progress: how far the trials of a study are, read from the storage."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self, TextIO

from analysis.status import clock
from trainables.settings import masked
from trainables.storage.storage import Storage
from trainables.trial import Trial

LINE_SECONDS = 10.0


@dataclass(frozen=True)
class Progress:
    """The ids of a study's trials by state, and the newest epoch of each started one."""

    new: tuple[str, ...]
    started: tuple[str, ...]  # running, or to be resumed
    finished: tuple[str, ...]
    failed: tuple[str, ...]
    epochs: Mapping[str, int]

    def state(self, trial_id: str) -> str:
        """new, started, finished or failed; "other" for a trial that is not of the study."""
        states = ("new", "started", "finished", "failed")
        return next((state for state in states if trial_id in getattr(self, state)), "other")

    @property
    def done(self) -> int:
        return len(self.finished) + len(self.failed)


def progress(storage: Storage, ids: list[str], ended: dict[str, str] | None = None) -> Progress:
    """The state of each trial as its files say.

    `ended`: the states of those that had ended before; these are not read again, and what has
    ended since is added.
    """
    ended = {} if ended is None else ended
    states: dict[str, list[str]] = {"new": [], "started": [], "finished": [], "failed": []}
    epochs = {}
    for trial_id in ids:
        files = storage.trial(trial_id)
        if trial_id not in ended and (result := files.final_result()):
            ended[trial_id] = result.status
        if trial_id in ended:
            states[ended[trial_id]].append(trial_id)
        elif files.settings() is not None:
            states["started"].append(trial_id)
            epochs[trial_id] = len(files.history())
        else:
            states["new"].append(trial_id)
    return Progress(**{state: tuple(some) for state, some in states.items()}, epochs=epochs)


class ProgressLines(ABC):
    """Prints its line every LINE_SECONDS while it is entered, and a last one at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._done.set()
        if kind is None:
            self._thread.join()
            self._say()

    @abstractmethod
    def line(self) -> str: ...

    def clock(self) -> str:
        """The time since it was made."""
        return clock(time.monotonic() - self._begun)

    def _tick(self) -> None:
        while not self._done.wait(LINE_SECONDS):
            self._say()

    def _say(self) -> None:
        """The line, or why there is none: a storage that is away for a moment stops nothing."""
        try:
            line = self.line()
        except Exception as error:
            line = (
                f"[{self.clock()}] {masked((str(error) or type(error).__name__).splitlines()[0])}"
            )
        with suppress(BrokenPipeError):  # who read the lines has gone; the study is told elsewhere
            print(line, file=self._out, flush=True)


class TrialProgress(ProgressLines):
    """How many of the trials are done, and the time left."""

    def __init__(
        self, storage: Storage, trials: Mapping[str, Trial], all_ids: list[str], out: TextIO
    ):
        super().__init__(out)
        self._storage, self._trials, self._ids = storage, trials, all_ids
        self._ended: dict[str, str] = {}
        self._moved = self._begun
        self._at_start = self._work_left()

    def line(self) -> str:
        now = progress(self._storage, self._ids, self._ended)
        running = [i for i in now.started if i in self._trials]
        parts = [f"{now.done}/{len(self._ids)} trials done", f"{len(running)} running"]
        if now.failed:
            parts.append(f"{len(now.failed)} failed")
        if running:
            ages = (f"{now.epochs[i]}/{self._trials[i].recipe.epochs}" for i in running[:4])
            parts.append(f"epoch {', '.join(ages)}{' ...' if len(running) > 4 else ''}")
        left = self._work_left()
        elapsed = time.monotonic() - self._moved
        if left == self._at_start:
            self._moved = time.monotonic()  # start-up does not count
        elif left and elapsed > 1.5 * LINE_SECONDS:  # one line after the first epochs
            parts.append(f"about {clock(elapsed * left / (self._at_start - left))} left")
        return f"[{self.clock()}] {', '.join(parts)}"

    def _work_left(self) -> int:
        """Epochs to be trained."""
        now = progress(self._storage, list(self._trials), self._ended)
        unfinished = (*now.new, *now.started)
        return sum(self._trials[i].recipe.epochs - now.epochs.get(i, 0) for i in unfinished)
