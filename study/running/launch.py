"""Launch: fresh Tuners over what is to be trained, be it of a table or of searches."""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from study.request import Resources
from study.running.cluster import alone
from study.running.watch import Silent, Watch

# Read by Ray when it is imported: five result files a trial less; no use of the SIGINT handler that
# would wait for every running trial's next report; no report of usage to anybody; no tables.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
# So many trials may wait for a place, each a request to the autoscaler; Tune's own limit for a
# searcher is one. How far ahead of its results a search asks is for `Feed` to say.
os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", "200")

from ray import tune
from ray.tune.execution import class_cache

from study.running.feed import Feed
from study.running.places import Sharing
from study.running.shares import sharing
from study.running.sources import Queue, TrialSource
from trainables.storage.claims import Command
from trainables.storage.storage import Storage
from trainables.worker.group import Places
from trainables.worker.trainable import trainable

# Tune would hand the driver's AWS keys to its workers in a form that Ray writes to its logs. Every
# node finds its own.
class_cache.ENV_VARS_TO_PROPAGATE = {
    name for name in class_cache.ENV_VARS_TO_PROPAGATE if not name.startswith("AWS_")
}

WORKER_LOSSES = 10  # so many lost workers a trial survives


def run(
    sources: Sequence[TrialSource],
    storage: Storage,
    folder: Path,
    resources: Resources,
    begun: Callable[[str], object] = lambda trial_id: None,
    command: Command | None = None,
    shared: bool = False,
) -> dict[str, str]:
    """Trains what is asked for, side by side, on a cluster that is `shared` with other commands or
    is this command's own. Ray must be connected.

    Each trial is claimed for the `command`; what another one trains is waited for. What runs out of
    GPU memory is tried once more after all others, alone on a whole GPU and on a fresh actor. Each
    id is told to `begun` when a worker starts on it. Returns why, by id, for those that ended
    without a result.
    """
    fit = partial(_fit, storage=storage, folder=folder, begun=begun, command=command)
    feed = Feed(sources, storage, resources.concurrent or 0, command)
    errors: dict[str, str] = {}
    while True:
        errors |= _train(feed, resources, fit, shared)
        if not feed.aside:
            break
        again = Feed([Queue(feed.aside, storage)], storage, command=command)
        errors |= _train(again, alone(resources), partial(fit, retry=True), shared)
        feed.take_back()
    lost = [trial_id for source in sources for trial_id in source.lost]
    return {i: errors.get(i, "not started, since its teacher has no result") for i in lost}


def _train(
    feed: Feed,
    resources: Resources,
    fit: Callable[[Feed, Resources], dict[str, str]],
    shared: bool,
) -> dict[str, str]:
    """Runs Tuners, one after the other, until all has ended. Returns the errors by trial id."""
    errors: dict[str, str] = {}
    with sharing(feed.share, feed.demand, resources, shared):
        while True:
            feed.wait()
            errors |= fit(feed, resources)
            if not feed.held:
                return errors


def _fit(
    feed: Feed,
    resources: Resources,
    *,
    storage: Storage,
    folder: Path,
    begun: Callable[[str], object],
    command: Command | None,
    retry: bool = False,
) -> dict[str, str]:
    """Runs a fresh Tuner until all has ended, or has no place. Returns the errors by trial id.

    Raises what the feed could not read or write.
    """
    with tempfile.TemporaryDirectory(prefix="study-ray-") as scratch:
        outcome = tune.Tuner(
            trainable(storage, folder, places_of(resources), retry, command),
            tune_config=tune.TuneConfig(
                search_alg=feed,
                scheduler=Sharing(feed),
                num_samples=-1,
                max_concurrent_trials=resources.concurrent,
                reuse_actors=not retry,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,
                failure_config=tune.FailureConfig(max_failures=WORKER_LOSSES),
                callbacks=[Watch(feed, storage, resources, begun), Silent()],
                verbose=0,
            ),
        ).fit()
    if feed.broken:
        raise feed.broken
    ended = [outcome[i] for i in range(len(outcome))]
    return {trial_id: _why(r) for r in ended for trial_id in feed.ids[Path(r.path).name]}


def places_of(resources: Resources) -> Places:
    """What each of a trial's workers is given."""
    gpus = resources.of_a_worker().gpus or 0.0
    how = resources.together, resources.sync_batch_norm, resources.cache, resources.capture
    return Places(resources.cpus, gpus, *how)


def _why(ended: tune.Result) -> str:
    """Why a trial has no result, in one line."""
    reason = (ended.metrics or {}).get("lost") or ended.error or "ended without a result"
    return str(reason).strip().splitlines()[-1]
