"""Launch: fresh Tuners over what is to be trained, be it of a table or of searches."""

import logging
import math
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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

import ray
import yaml
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.progress_reporter import TrialProgressCallback

from study.address import VALID, check_token
from study.feed import Asking, Feed, Queue
from study.pruning import Pruning
from trainables.settings import Invalid
from trainables.storage import Shelf, Storage
from trainables.train import fail, final
from trainables.trainable import trainable

# Tune would hand the driver's AWS keys to its workers in a form that Ray writes to its logs. Every
# node finds its own.
class_cache.ENV_VARS_TO_PROPAGATE = {
    name for name in class_cache.ENV_VARS_TO_PROPAGATE if not name.startswith("AWS_")
}

WORKER_LOSSES = 10  # so many lost workers a trial survives
FIRST_WORKER_SECONDS = 600.0  # that a cluster without any may take, as after `ray up`
HEAD = "node:__internal_head__"  # what Ray calls a resource that the head alone has
HTTP2_SETTINGS = b"\x04"  # the type of the frame that each side begins with
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + HTTP2_SETTINGS + bytes(5)
WAITING_SECONDS = 60.0  # between the lines that say that nothing can be placed


@dataclass(frozen=True)
class Resources:
    """What a trial gets, and how many run at once (None: as many as fit)."""

    cpus: float = 1.0
    gpus: float | None = None  # None: one, where the cluster has any
    concurrent: int | None = None
    stall_minutes: float = math.inf  # without a finished epoch: then a trial is ended

    def __post_init__(self) -> None:
        """Raises Invalid for what Ray cannot grant."""
        for option, wanted in (("--cpus-per-trial", self.cpus), ("--gpus-per-trial", self.gpus)):
            if wanted and round(wanted, 4) != wanted:
                raise Invalid(f"{option} = {wanted:g}: must be a multiple of 0.0001")
        if self.gpus and self.gpus > 1 and self.gpus % 1:
            raise Invalid(f"--gpus-per-trial = {self.gpus:g}: must be whole where above 1")

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs" + (f", {self.gpus:g} GPUs" if self.gpus else "")


def connect(address: str | None) -> None:
    """To the cluster at the address, or a new one on this machine, unless connected already.

    Raises Invalid where no cluster answers (within 10 seconds), it refuses the token (30), or it
    has no worker (FIRST_WORKER_SECONDS).
    """
    if ray.is_initialized():
        return
    check_token(address)
    if address not in (None, "auto"):
        try:
            _greet(address)
        except (OSError, ValueError) as error:
            raise Invalid(f"--address = {address}: must be {VALID} ({error})") from None
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError) as error:  # the latter for another version of Ray
        if address is None:
            raise
        refused = "InvalidAuthToken" in str(error.__cause__)
        why = "it asks for its token, with RAY_AUTH_MODE=token" if refused else error
        raise Invalid(f"--address = {address}: must be {VALID} ({why})") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own in place
    if address is not None:
        _wait_for_a_worker(address)


def _greet(address: str) -> None:
    """Raises OSError or ValueError where nothing that speaks HTTP/2, as Ray does, answers there.

    Ray itself would try for minutes.
    """
    host, _, port = address.removeprefix("ray://").partition(":")
    with socket.create_connection((host, int(port or 6379)), timeout=5) as connection:
        if os.environ.get("RAY_USE_TLS") == "1":
            return
        connection.sendall(HTTP2_GREETING)
        if connection.recv(4)[3:] != HTTP2_SETTINGS:
            raise ValueError("something else than Ray answers there")


def _wait_for_a_worker(address: str) -> None:
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
    nodes = _nodes()
    gpus = resources.gpus if resources.gpus is not None else min(1.0, _most("GPU", nodes))
    with_gpus = f" with {gpus:g} GPUs" if gpus else ""
    for option, wanted, kind, which in (
        ("--gpus-per-trial", gpus, "GPU", ""),
        ("--cpus-per-trial", resources.cpus, "CPU", with_gpus),
    ):
        if wanted > (most := _most(kind, nodes)):
            valid = f"at most {most:g}, what the largest node{which} has"
            raise Invalid(f"{option} = {wanted:g}: must be {valid}")
        nodes = [node for node in nodes if node.get(kind, 0.0) >= wanted]  # one that has both
    return replace(resources, gpus=gpus)


def largest_node() -> dict[str, float]:
    """The most CPUs and the most GPUs that a node has, though it may not be the same one."""
    nodes = _nodes()
    return {kind: _most(kind, nodes) for kind in ("CPU", "GPU")}


def _most(kind: str, nodes: list[dict[str, float]]) -> float:
    return max(node.get(kind, 0.0) for node in nodes)


def _nodes() -> list[dict[str, float]]:
    """What each node has, of those alive and those that may be started."""
    nodes = alive()
    here = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if any(n["NodeManagerAddress"] == here and HEAD in n["Resources"] for n in _alive_nodes()):
        nodes += startable(Path.home() / "ray_bootstrap_config.yaml")
    return nodes


def alive() -> list[dict[str, float]]:
    """What each node of the cluster has."""
    return [node["Resources"] for node in _alive_nodes()]


def _alive_nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def startable(autoscaling: Path) -> list[dict[str, float]]:
    """What each kind of worker has that the autoscaler of this head may start, as `ray up` wrote.

    Empty where this machine was not made a head by `ray up`.
    """
    if not autoscaling.exists():
        return []
    kinds = yaml.safe_load(autoscaling.read_text())["available_node_types"].values()
    return [kind["resources"] for kind in kinds if kind["max_workers"] > 0]


def run(
    askings: Sequence[Asking],
    storage: Storage,
    folder: Path,
    resources: Resources,
    begun: Callable[[str], object] = lambda trial_id: None,
) -> dict[str, str]:
    """Trains what is asked for, side by side. Ray must be connected.

    What runs out of GPU memory is tried once more after all others, alone on a whole GPU and on a
    fresh actor. Each id is told to `begun` when a worker starts on it. Returns why, by id, for
    those that ended without a result.
    """
    feed = Feed(askings, storage, resources.concurrent or 0)
    errors: dict[str, str] = {}
    while True:
        errors |= _fit(feed, storage, folder, resources, begun)
        if not feed.aside:
            break
        again = Feed([Queue(feed.aside, storage)], storage)
        errors |= _fit(again, storage, folder, alone(resources), begun, retry=True)
        feed.take_back()
    lost = [trial_id for asking in askings for trial_id in asking.lost]
    return {i: errors.get(i, "not started, since its teacher has no result") for i in lost}


def alone(resources: Resources) -> Resources:
    """For one trial at a time: a whole GPU; without any, all CPUs of a node."""
    if resources.gpus:
        return replace(resources, gpus=float(math.ceil(resources.gpus)), concurrent=1)
    return replace(resources, cpus=largest_node()["CPU"], concurrent=1)


def _fit(
    feed: Feed,
    storage: Storage,
    folder: Path,
    resources: Resources,
    begun: Callable[[str], object],
    retry: bool = False,
) -> dict[str, str]:
    """Runs a fresh Tuner until all has ended. Returns the errors by trial id.

    Raises what the feed could not read or write.
    """
    with tempfile.TemporaryDirectory(prefix="study-ray-") as scratch:
        outcome = tune.Tuner(
            trainable(storage, folder, resources.cpus, resources.gpus or 0.0, retry),
            tune_config=tune.TuneConfig(
                search_alg=feed,
                scheduler=Pruning(feed.askings, feed.end),
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
    return {feed.ids[Path(r.path).name]: _why(r) for r in ended}


def _why(ended: tune.Result) -> str:
    """Why a trial has no result, in one line."""
    reason = (ended.metrics or {}).get("lost") or ended.error or "ended without a result"
    return str(reason).strip().splitlines()[-1]


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
        self._begun(trial.config["id"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        self._heard[trial] = time.monotonic(), result.get("epoch", 0)

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
        """As many as the storage has; infinitely many with a result.

        Tune may be behind, where its thread was kept waiting, and a worker waits for Tune in its
        report: so it is not the age of the file that tells.
        """
        done = final(self._shelf(trial).read_json("result.json"))
        return math.inf if done else self._stored(trial)

    def _end(self, trial: Any) -> None:
        """Kills the worker and leaves a result, which Tune finds when it tries the trial again."""
        reason = f"no epoch finished within {self._resources.stall_minutes:g} minutes"
        ray.kill(trial.temporary_state.ray_actor)
        fail(trial.config["trial"], self._storage, reason)

    def _stored(self, trial: Any) -> int:
        return len(self._shelf(trial).read_json("history.json") or ())

    def _shelf(self, trial: Any) -> Shelf:
        return self._storage.trial(trial.config["id"])

    def __getstate__(self) -> dict[str, Any]:
        return {}
