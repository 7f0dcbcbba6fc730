"""Places: which trials wait for one, and which go on where another has ended."""

from typing import Any

from ray.tune.experiment import Trial

from study.running.feed import Feed
from study.running.scheduler import Pruning


class Sharing(Pruning):
    """Pruning; and beside other commands, what Tune holds places for is kept to the share.

    Trials that run are left alone. Those that only wait are withdrawn, since each ended trial's
    worker, with its place, would pass to one of them. It passes to one that no worker is started
    for, while there are some: Tune would end a worker under way, which took seconds to import.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed.sources, feed.end)
        self._feed = feed
        feed.limit = feed.share.limit

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Tune calls it at each step."""
        feed = self._feed
        feed.limit = feed.share.limit
        # Behind the wrapper, which warns of use: Tune has no way to give up places.
        controller = tune_controller._tune_controller
        if feed.limit is not None and feed.out > feed.limit:
            pending = [t for t in controller.get_trials() if _waits(t)]
            for trial in reversed(pending[-(feed.out - feed.limit) :]):
                _withdraw(trial, controller, feed)
        # Whether an ended trial's worker is kept, with its place, for a trial that comes later.
        keeps = feed.limit is None or feed.out == feed.limit > 0
        controller._actor_cache._may_keep_one = keeps
        chosen: Trial | None = super().choose_trial_to_run(tune_controller)
        if chosen is None or not controller._actor_cache.num_cached_objects:
            return chosen
        unplaced = set(controller._actor_manager.pending_actors)
        actors = ((t, controller._trial_to_actor.get(t)) for t in controller.get_trials())
        left = (t for t, actor in actors if _waits(t) and (actor is None or actor in unplaced))
        return next(left, chosen)


def _waits(trial: Trial) -> bool:
    return trial.status == Trial.PENDING and trial.temporary_state.ray_actor is None


def _withdraw(trial: Trial, controller: Any, feed: Feed) -> None:
    """Stops it with its request for a place."""
    feed.withdraw(trial.trial_id)
    if trial in controller._staged_trials:  # it would count as one that a worker is kept for
        controller._unstage_trial_with_resources(trial)
    controller.stop_trial(trial)
