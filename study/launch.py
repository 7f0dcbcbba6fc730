"""Launch: a fresh Tuner over the trials that have no result yet."""

import logging
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Read by Ray when it is imported: five result files a trial less; no use of the SIGINT handler that
# would wait for every running trial's next report; no report of usage to anybody; no tables.
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import ray
from ray import tune

from trainables.settings import Invalid
from trainables.storage import Storage
from trainables.trainable import trainable
from trainables.trial import Trial

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
    with tempfile.TemporaryDirectory(prefix="study-ray-") as scratch:
        outcome = tune.Tuner(
            trainable(trials, storage, folder, resources.cpus, resources.gpus or 0.0),
            param_space={"id": tune.grid_search(list(trials))},
            tune_config=tune.TuneConfig(
                max_concurrent_trials=resources.concurrent, reuse_actors=True
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,
                failure_config=tune.FailureConfig(max_failures=WORKER_LOSSES),
                verbose=0,
            ),
        ).fit()
    results = set(storage.results())
    ended = [outcome[i] for i in range(len(outcome))]
    errors = {str(r.config["id"]): _why(r) for r in ended if r.config}
    return {i: errors.get(i, "not started") for i in trials if i not in results}


def _why(ended: tune.Result) -> str:
    """Why a trial has no result, in one line."""
    reason = (ended.metrics or {}).get("lost") or ended.error or "ended without a result"
    return str(reason).strip().splitlines()[-1]
