"""Pruning: a running trial that nobody waits for any more is stopped."""

from collections.abc import Sequence
from typing import Any, Protocol

from ray.tune.schedulers import FIFOScheduler, TrialScheduler


class Waiting(Protocol):
    """A search, as far as it is seen from here."""

    def reported(self, trial_id: str) -> bool: ...


class Pruning(FIFOScheduler):
    """Tells every search of each epoch; Tune stops the trial that none of them waits for.

    A worker does not begin its next epoch before this one is judged. All state is in the searches'
    own storage, so that Tune has nothing to save.
    """

    def __init__(self, searches: Sequence[Waiting] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._searches = searches

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        waited_for = [search.reported(trial.config["id"]) for search in self._searches]
        return TrialScheduler.CONTINUE if any(waited_for) else TrialScheduler.STOP

    def __getstate__(self) -> dict[str, Any]:
        return {}
