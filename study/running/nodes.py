"""Nodes: each machine of a cluster is looked at before the first trial starts."""

import time
from uuid import uuid4

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.running.cluster import alive_nodes
from trainables.data.cache import OFF, Cache
from trainables.settings import Invalid
from trainables.storage.storage import Storage
from trainables.worker import node
from trainables.worker.node import Driver, software

SECONDS = 120  # for a node to answer: its first worker process is started for that
LOST_SECONDS = 5  # after an error of Ray's until it knows that the node is lost


def require_fit(storage: Storage, cache: Cache = OFF) -> None:
    """Raises Invalid, naming the node, where one has other software than this machine, does not
    share the storage, or has no space, for the cache too. Ray must be connected. A node that is
    lost while it is looked at is told, and no error: Ray knows of it only after half a minute.
    """
    name = f"probe-{uuid4().hex}"
    driver = Driver(software(), name)
    storage.top.write(name, b"of the driver")
    try:
        answers = {}
        for machine in alive_nodes():
            there = NodeAffinitySchedulingStrategy(machine["NodeID"], soft=False)
            task = ray.remote(num_cpus=0)(_wrong).options(scheduling_strategy=there)
            answers[machine["NodeID"]] = machine, task.remote(storage, driver, cache)
        for identity, (machine, answer) in answers.items():
            host = f"{machine['NodeManagerHostname']} ({machine['NodeManagerAddress']})"
            try:
                wrong = ray.get(answer, timeout=SECONDS)
            except RayError as error:
                if _is_lost(identity):
                    print(f"node {host}: lost; the study goes on without it", flush=True)
                    continue
                why = f"cannot run our code ({str(error).strip().splitlines()[-1]})"
                late = isinstance(error, GetTimeoutError)
                wrong = f"no answer within {SECONDS} s" if late else why
            if wrong:
                raise Invalid(f"node {host}: {wrong}")
    finally:
        storage.top.remove(name)


def _is_lost(identity: str) -> bool:
    """Whether Ray takes the node for dead, or soon does."""
    end = time.monotonic() + LOST_SECONDS
    while identity in {one["NodeID"] for one in alive_nodes()}:
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def _wrong(storage: Storage, driver: Driver, cache: Cache) -> str:
    """What is wrong with the node that this runs on; empty if nothing is."""
    try:
        node.require_fit(driver, storage, cache)
        storage.top.probe()
    except Invalid as error:
        return str(error)
    except OSError as error:
        return f"cannot use --storage = {storage}: {error}"
    return ""
