"""Cluster: Ray's nodes, and what a trial gets of them."""

import logging
import math
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
import yaml

from study.grids import from_file
from study.request import Resources
from study.running.address import VALID, check_token
from trainables.settings import Invalid

# Workers that Ray starts beforehand are never used: those of trials have an environment of theirs.
os.environ.setdefault("RAY_prestart_worker_first_driver", "0")

FIRST_WORKER_SECONDS = 600.0  # that a cluster without any may take, as after `ray up`
HEAD = "node:__internal_head__"  # what Ray calls a resource that the head alone has
HTTP2_SETTINGS = b"\x04"  # the type of the frame that each side begins with
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + HTTP2_SETTINGS + bytes(5)


def connect(address: str | None) -> None:
    """To the cluster at the address, or a new one on this machine, unless connected already.

    Raises Invalid where no cluster answers (within 10 seconds), it refuses the token (30), or it
    has no worker (FIRST_WORKER_SECONDS).
    """
    for module in from_file.modules():  # their files are on this machine alone
        ray.cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
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
    """The same with `gpus` settled.

    Raises Invalid where no node is large enough for a worker, or all nodes for those of a trial.
    """
    nodes, workers = _nodes(), resources.together
    if resources.gpus is None:
        resources = replace(resources, gpus=workers * min(1.0, _most("GPU", nodes)))
    gpus = resources.of_a_worker().gpus or 0.0
    with_gpus = f" with {gpus:g} GPUs" if gpus else ""
    for option, given, wanted, kind, which in (
        ("--gpus-per-trial", resources.gpus, gpus, "GPU", ""),
        ("--cpus-per-trial", resources.cpus, resources.cpus, "CPU", with_gpus),
    ):
        if wanted > (most := _most(kind, nodes)):
            valid = f"at most {most:g}, what the largest node{which} has"
            raise Invalid(f"{option} = {given:g}: must be {valid}")
        nodes = [node for node in nodes if node.get(kind, 0.0) >= wanted]  # one that has both
    if workers > (most := sum(_room(node, resources.cpus, gpus) for node in nodes)):
        option = "--workers-per-trial" if resources.workers or not gpus else "--gpus-per-trial"
        valid = f"at most {most}: all nodes have room for so many workers of"
        raise Invalid(f"{option} = {workers}: must be {valid} {resources.of_a_worker()}")
    return resources


def _room(node: dict[str, float], cpus: float, gpus: float) -> int:
    """How many workers the node has room for; in whole numbers, since fractions must add up."""
    needs = (("CPU", cpus), ("GPU", gpus))
    room = (round(1e4 * node.get(kind, 0.0)) // round(1e4 * need) for kind, need in needs if need)
    return min(room)


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
    if any(n["NodeManagerAddress"] == here and HEAD in n["Resources"] for n in alive_nodes()):
        nodes += startable(Path.home() / "ray_bootstrap_config.yaml")
    return nodes


def alive() -> list[dict[str, float]]:
    """What each node of the cluster has."""
    return [node["Resources"] for node in alive_nodes()]


def alive_nodes() -> list[dict[str, Any]]:
    """What Ray knows of each node that it takes for alive."""
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def startable(autoscaling: Path) -> list[dict[str, float]]:
    """What each worker has that the autoscaler of this head may start, as `ray up` wrote.

    Empty where this machine was not made a head by `ray up`.
    """
    if not autoscaling.exists():
        return []
    kinds = yaml.safe_load(autoscaling.read_text())["available_node_types"].values()
    return [kind["resources"] for kind in kinds for _ in range(kind["max_workers"])]


def alone(resources: Resources) -> Resources:
    """For one trial at a time: whole GPUs; without any, all CPUs of a node for a worker alone."""
    if resources.together > 1:
        return replace(resources, concurrent=1)
    if resources.gpus:
        return replace(resources, gpus=float(math.ceil(resources.gpus)), concurrent=1)
    return replace(resources, cpus=largest_node()["CPU"], concurrent=1)
