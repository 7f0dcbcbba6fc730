"""Watch: trials that make no progress are ended, a wait for places is told."""

import math
import time
from collections.abc import Callable
from typing import Any

import ray
from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback

from study.request import Resources
from study.running.cluster import alive
from study.running.feed import Feed
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles
from trainables.training.fit import fail
from trainables.trial import Trial
from trainables.worker.trainable import trials_of

WAITING_SECONDS = 60.0  # between the lines that say that nothing can be placed


class Silent(TrialProgressCallback):
    """In place of Tune's own, which prints of trials that it stops before they have begun."""

    on_trial_result = tune.Callback.on_trial_result
    on_trial_error = tune.Callback.on_trial_error
    on_trial_complete = tune.Callback.on_trial_complete


class Watch(tune.Callback):
    """Ends trials that hang, and says what waits while nothing can be placed."""

    def __init__(
        self,
        feed: Feed,
        storage: Storage,
        resources: Resources,
        begun: Callable[[str], object] = lambda trial_id: None,
    ) -> None:
        self._feed, self._storage, self._resources, self._begun = feed, storage, resources, begun
        # When a running one of Tune's trials was last heard of, and the epochs it then had.
        self._heard: dict[Any, tuple[float, float]] = {}
        self._idle_since = time.monotonic()  # nothing runs, as far as is known

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self._heard[trial] = time.monotonic(), self._resumed_from(trial)
        self._feed.place(trial.trial_id, placed=True)
        for trial_id in trials_of(trial.config):
            self._begun(trial_id)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        # Fused ones report each epoch once, for all of them.
        epochs = result.get("epoch", 0) * len(trials_of(trial.config))
        self._heard[trial] = time.monotonic(), epochs

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self._heard.pop(trial, None)
        self._feed.place(trial.trial_id, placed=False)

    on_trial_error = on_trial_recover = on_trial_complete

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        try:
            self._look()
        except Exception as error:  # Tune would make a traceback of it
            self._feed.end(error)

    def _look(self) -> None:
        now = time.monotonic()
        for trial, (heard, epochs) in self._heard.items():
            if now - heard > 60 * self._resources.stall_minutes:
                stored = self._epochs(trial)
                if stored <= epochs:
                    self._end(trial)
                self._heard[trial] = now, stored
        if self._heard or not self._feed.waiting:
            self._idle_since = now
        elif now - self._idle_since > WAITING_SECONDS:
            self._idle_since = now
            nodes = alive()
            there = (f"{sum(n.get(k, 0) for n in nodes):g} {k}s" for k in ("CPU", "GPU"))
            print(
                f"nothing can be placed: {len(self._feed.waiting)} trials pending, of "
                f"{self._resources} each; the cluster has {', '.join(there)} on {len(nodes)} nodes",
                flush=True,
            )

    def _resumed_from(self, trial: Any) -> int:
        """The epochs that it has from before."""
        try:
            return self._stored(trial)
        except Exception as error:
            self._feed.end(error)
            return 0

    def _epochs(self, trial: Any) -> float:
        """As many as the storage has; infinitely many where all have results.

        Tune may be behind, where its thread was kept waiting, and a worker waits for Tune in its
        report: so it is not the age of the file that tells.
        """
        left = any(not files.final_result() for files in self._files(trial))
        return self._stored(trial) if left else math.inf

    def _end(self, trial: Any) -> None:
        """Kills the worker and leaves results, which Tune finds when it tries the trial again."""
        reason = f"no epoch finished within {self._resources.stall_minutes:g} minutes"
        ray.kill(trial.temporary_state.ray_actor)
        for one in self._own(trial).values():
            fail(one, self._storage, reason)

    def _stored(self, trial: Any) -> int:
        return sum(len(files.history()) for files in self._files(trial))

    def _files(self, trial: Any) -> list[TrialFiles]:
        return [self._storage.trial(trial_id) for trial_id in self._own(trial)]

    def _own(self, trial: Any) -> dict[str, Trial]:
        """All that the worker trains: but what another command has claimed of a group."""
        given = trials_of(trial.config)
        return {i: one for i, one in given.items() if not self._feed.elsewhere(i)}

    def __getstate__(self) -> dict[str, Any]:
        return {}
