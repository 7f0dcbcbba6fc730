"""Launch: a fresh Tuner over the trials that have no result yet."""

import logging
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

# Read by Ray when it is imported: five result files a trial less; no use of the SIGINT handler that
# would wait for every running trial's next report; no report of usage to anybody; no tables.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import ray
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.search import Searcher

from trainables.settings import Invalid
from trainables.storage import Storage
from trainables.trainable import trainable
from trainables.trial import Trial

# Tune would hand the driver's AWS keys to its workers in a form that Ray writes to its logs. Every
# node finds its own.
class_cache.ENV_VARS_TO_PROPAGATE = {
    name for name in class_cache.ENV_VARS_TO_PROPAGATE if not name.startswith("AWS_")
}

WORKER_LOSSES = 10  # so many lost workers a trial survives


@dataclass(frozen=True)
class Resources:
    """What a trial gets, and how many run at once (None: as many as fit)."""

    cpus: float = 1.0
    gpus: float | None = None  # None: one, where the cluster has any
    concurrent: int | None = None


def connect(address: str | None) -> None:
    """To the cluster at the address, or a new one on this machine, unless connected already.

    Raises Invalid, within 10 seconds, where no cluster answers.
    """
    if ray.is_initialized():
        return
    if address is not None:
        host, _, port = address.removeprefix("ray://").partition(":")
        try:
            socket.create_connection((host, int(port or 6379)), timeout=5).close()
        except (OSError, ValueError) as error:
            valid = "host:port of a running Ray cluster"
            raise Invalid(f"--address = {address}: must be {valid} ({error})") from None
    ray.init(
        address=address or "local",
        include_dashboard=False if address is None else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def fitted(resources: Resources) -> Resources:
    """The same with `gpus` settled. Raises Invalid where no node is large enough for a trial."""
    most = largest_node()
    gpus = resources.gpus if resources.gpus is not None else min(1.0, most["GPU"])
    for option, wanted, kind in (
        ("--cpus-per-trial", resources.cpus, "CPU"),
        ("--gpus-per-trial", gpus, "GPU"),
    ):
        if wanted > most[kind]:
            valid = f"at most {most[kind]:g}, what the largest node has"
            raise Invalid(f"{option} = {wanted:g}: must be {valid}")
    return Resources(resources.cpus, gpus, resources.concurrent)


def largest_node() -> dict[str, float]:
    """The most CPUs and GPUs that one node of the cluster has."""
    nodes: list[dict[str, float]] = [n["Resources"] for n in ray.nodes() if n["Alive"]]  # type: ignore[no-untyped-call]
    return {kind: max(node.get(kind, 0.0) for node in nodes) for kind in ("CPU", "GPU")}


def run(
    trials: Mapping[str, Trial], storage: Storage, folder: Path, resources: Resources
) -> dict[str, str]:
    """Trains the trials. Returns why, by id, for those that ended without a result.

    Ray must be connected.
    """
    space = {"id": tune.grid_search(list(trials))}
    errors = _fit(trials, storage, folder, resources, space)
    results = set(storage.results())
    return {i: errors.get(i, "not started") for i in trials if i not in results}


def search(
    searches: Sequence["Asking"], storage: Storage, folder: Path, resources: Resources
) -> dict[str, str]:
    """Trains what the searches ask for, side by side. Returns the same as `run`.

    Ray must be connected.
    """
    errors = _fit({}, storage, folder, resources, {}, Feed(searches))
    lost = [trial_id for search in searches for trial_id in search.lost]
    return {i: errors.get(i, "ended without a result") for i in lost}


def _fit(
    trials: Mapping[str, Trial],
    storage: Storage,
    folder: Path,
    resources: Resources,
    space: dict[str, Any],
    feed: Searcher | None = None,
) -> dict[str, str]:
    """Runs a fresh Tuner until all has ended. Returns the errors by trial id."""
    with tempfile.TemporaryDirectory(prefix="study-ray-") as scratch:
        outcome = tune.Tuner(
            trainable(trials, storage, folder, resources.cpus, resources.gpus or 0.0),
            param_space=space,
            tune_config=tune.TuneConfig(
                search_alg=feed,
                num_samples=-1 if feed else 1,
                max_concurrent_trials=resources.concurrent,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,
                failure_config=tune.FailureConfig(max_failures=WORKER_LOSSES),
                verbose=0,
            ),
        ).fit()
    ended = [outcome[i] for i in range(len(outcome))]
    return {str(r.config["id"]): _why(r) for r in ended if r.config}


def _why(ended: tune.Result) -> str:
    """Why a trial has no result, in one line."""
    reason = (ended.metrics or {}).get("lost") or ended.error or "ended without a result"
    return str(reason).strip().splitlines()[-1]


class Asking(Protocol):
    """A search, as far as it is seen from here."""

    lost: list[str]

    def take(self) -> tuple[str, Trial] | None: ...

    def ended(self, trial_id: str) -> None: ...


class Feed(Searcher):
    """Gives Tune the trials of several searches, next one of the search with the fewest running.

    All state is in the searches' own storage, so that Tune has nothing to save.
    """

    def __init__(self, searches: Sequence[Asking]) -> None:
        super().__init__()
        self._searches = list(searches)
        self._running: dict[str, tuple[int, str]] = {}  # search and trial id, by Tune's own id

    def suggest(self, trial_id: str) -> Any:
        counts = [0] * len(self._searches)
        for search, _ in self._running.values():
            counts[search] += 1
        for i in sorted(range(len(counts)), key=counts.__getitem__):
            while (taken := self._searches[i].take()) is not None:
                if all(taken[0] != running for _, running in self._running.values()):
                    self._running[trial_id] = i, taken[0]
                    return {"id": taken[0], "trial": taken[1]}
                # Another search trains it already: this one is told, too, when it has ended.
        return None if self._running else Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        _, ended = self._running.pop(trial_id)
        for search in self._searches:
            search.ended(ended)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
