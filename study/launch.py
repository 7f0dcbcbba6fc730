"""Launch: a fresh Tuner over the trials that have no result yet."""

import logging
import os
import socket
import tempfile
import time
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
import yaml
from ray import tune
from ray.tune.search import Searcher

from study.address import VALID, check_token
from study.pruning import Pruning, Waiting
from trainables.settings import Invalid
from trainables.storage import Storage
from trainables.trainable import trainable
from trainables.trial import Trial

WORKER_LOSSES = 10  # so many lost workers a trial survives
FIRST_WORKER_SECONDS = 600.0  # that a cluster without any may take, as after `ray up`
HEAD = "node:__internal_head__"  # what Ray calls a resource that the head alone has


@dataclass(frozen=True)
class Resources:
    """What a trial gets, and how many run at once (None: as many as fit)."""

    cpus: float = 1.0
    gpus: float | None = None  # None: one, where the cluster has any
    concurrent: int | None = None


def connect(address: str | None) -> None:
    """To the cluster at the address, or a new one on this machine, unless connected already.

    Raises Invalid where no cluster answers (within 10 seconds), it refuses the token (30), or it
    has no worker (FIRST_WORKER_SECONDS).
    """
    if ray.is_initialized():
        return
    check_token(address)
    if address not in (None, "auto"):
        host, _, port = address.removeprefix("ray://").partition(":")
        try:
            socket.create_connection((host, int(port or 6379)), timeout=5).close()
        except (OSError, ValueError) as error:
            raise Invalid(f"--address = {address}: must be {VALID} ({error})") from None
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except ConnectionError as error:
        if address is None:
            raise
        refused = "InvalidAuthToken" in str(error.__cause__)
        why = "it asks for its token, with RAY_AUTH_MODE=token" if refused else error
        raise Invalid(f"--address = {address}: must be {VALID} ({why})") from None
    _wait_for_a_worker(address)


def _wait_for_a_worker(address: str | None) -> None:
    """Returns when the cluster has CPUs, or the autoscaler knows a kind of node that has some."""
    end = time.monotonic() + FIRST_WORKER_SECONDS
    said = False
    while not largest_node()["CPU"]:
        if time.monotonic() > end:
            valid = "a cluster with CPUs, or an autoscaler that starts some"
            raise Invalid(f"--address = {address}: must be {valid}; this one has had none so far")
        if not said:
            print("waiting for the cluster's first worker", flush=True)
            said = True
        time.sleep(1)


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
    """The most CPUs and GPUs that one node has, of those alive and those that may be started."""
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    nodes: list[dict[str, float]] = [node["Resources"] for node in alive]
    here = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if any(n["NodeManagerAddress"] == here and HEAD in n["Resources"] for n in alive):
        nodes += startable(Path.home() / "ray_bootstrap_config.yaml")
    return {kind: max(node.get(kind, 0.0) for node in nodes) for kind in ("CPU", "GPU")}


def startable(autoscaling: Path) -> list[dict[str, float]]:
    """What each kind of worker has that the autoscaler of this head may start, as `ray up` wrote.

    Empty where this machine was not made a head by `ray up`.
    """
    if not autoscaling.exists():
        return []
    kinds = yaml.safe_load(autoscaling.read_text())["available_node_types"].values()
    return [kind["resources"] for kind in kinds if kind["max_workers"] > 0]


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
    errors = _fit({}, storage, folder, resources, {}, Feed(searches), Pruning(searches))
    lost = [trial_id for search in searches for trial_id in search.lost]
    return {i: errors.get(i, "ended without a result") for i in lost}


def _fit(
    trials: Mapping[str, Trial],
    storage: Storage,
    folder: Path,
    resources: Resources,
    space: dict[str, Any],
    feed: Searcher | None = None,
    scheduler: Pruning | None = None,
) -> dict[str, str]:
    """Runs a fresh Tuner until all has ended. Returns the errors by trial id."""
    with tempfile.TemporaryDirectory(prefix="study-ray-") as scratch:
        outcome = tune.Tuner(
            trainable(trials, storage, folder, resources.cpus, resources.gpus or 0.0),
            param_space=space,
            tune_config=tune.TuneConfig(
                search_alg=feed,
                scheduler=scheduler,
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


class Asking(Waiting, Protocol):
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
