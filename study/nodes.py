"""Nodes: each machine of a cluster is looked at before the first trial starts."""

import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.prepare import FREE_MIB
from trainables.node import Software, software
from trainables.settings import Invalid
from trainables.storage import Storage

SECONDS = 120  # for a node to answer: its first worker process is started for that


def check(storage: Storage) -> None:
    """Raises Invalid, naming the node, where one has other software than this machine, does not
    share the storage, or has no space. Ray must be connected.
    """
    name = f"probe-{uuid4().hex}"
    storage.top.write(name, b"of the driver")
    try:
        answers = {}
        for node in ray.nodes():  # type: ignore[no-untyped-call]
            if node["Alive"]:
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                task = ray.remote(num_cpus=0)(_wrong).options(scheduling_strategy=there)
                host = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                answers[host] = task.remote(storage, name, software())
        for host, answer in answers.items():
            try:
                wrong = ray.get(answer, timeout=SECONDS)
            except GetTimeoutError:
                wrong = f"no answer within {SECONDS} s"
            except RayError as error:
                wrong = f"cannot run our code ({str(error).strip().splitlines()[-1]})"
            if wrong:
                raise Invalid(f"node {host}: {wrong}")
    finally:
        storage.top.remove(name)


def _wrong(storage: Storage, probe: str, driver: Software) -> str:
    """What is wrong with the node that this runs on; empty if nothing is."""
    if different := software().differences(driver):
        return different
    try:
        if storage.top.read(probe) is None:
            valid = "a folder that all nodes share, or s3://bucket/prefix"
            return f"does not see what the driver writes to --storage = {storage}: must be {valid}"
        storage.top.probe()
    except OSError as error:
        return f"cannot use --storage = {storage}: {error}"
    for folder in (storage.root, Path(tempfile.gettempdir())):
        if folder and (free := shutil.disk_usage(folder).free >> 20) < FREE_MIB:
            return f"{folder} must have {FREE_MIB} MiB free, has {free}"
    return ""
