"""Pruning: a running trial that nobody waits for any more is stopped."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from trainables.settings import Invalid
from trainables.worker.trainable import trials_of


class Waiting(Protocol):
    """What asks for trials, as far as it is seen from here."""

    def reported(self, trial_id: str) -> bool: ...


class Pruning(FIFOScheduler):
    """Tells every source of each epoch; Tune stops the trial that none of them waits for.

    A worker does not begin its next epoch before this one is judged. All state is in the searches'
    own storage, so that Tune has nothing to save. What fails here is told to `broken`: Tune would
    make a traceback of it. So is a node that no trial can be trained on, and Tune stops what waits
    for a place: that node would take it all, one after the other.
    """

    def __init__(
        self, sources: Sequence[Waiting] = (), broken: Callable[[Exception], object] | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sources, self._broken = sources, broken

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        try:
            if "unfit" in result:
                for other in tune_controller.get_trials():
                    if other.status == Trial.PENDING:
                        tune_controller.stop_trial(other)
                why = str(result["unfit"]).splitlines()[0]
                raise Invalid(f"{why}; with that node mended or gone, the same command goes on")
            own = trials_of(trial.config)
            waited_for = [source.reported(i) for source in self._sources for i in own]
        except Exception as error:
            if self._broken is None:
                raise
            self._broken(error)
            return TrialScheduler.STOP
        return TrialScheduler.CONTINUE if any(waited_for) else TrialScheduler.STOP

    def __getstate__(self) -> dict[str, Any]:
        return {}
