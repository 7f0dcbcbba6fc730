"""Machines that a study cannot run on are found and named. Real Ray, several nodes."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from study.request import Resources
from study.running import launch, nodes
from study.running.cluster import alive_nodes
from study.running.sources import Queue
from tests.study.troubles import Choosy
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.trial import Trial
from trainables.worker import node

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_nodes_that_share_the_storage_pass_and_nothing_is_left(
    cluster: Cluster, tmp_path: Path
) -> None:
    nodes.require_fit(Storage(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_storage_that_a_node_does_not_see_names_the_node(
    cluster: Cluster, tmp_path: Path
) -> None:
    # A folder of each process's own: what a path on an unshared disk is.
    storage = Storage(Path(f"/proc/self/task/{os.getpid()}/cwd") / "unshared")
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        with pytest.raises(Invalid, match=r"^node \S+ \(\d.*does not see what the driver writes"):
            nodes.require_fit(storage)
    finally:
        os.chdir(here)


def test_other_software_names_the_node_before_any_trial(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "software", lambda: replace(node.software(), sources="0123"))
    with pytest.raises(Invalid, match=r"^node \S+ \(\d.*sources is .*, the driver's 0123$"):
        nodes.require_fit(Storage(tmp_path))


def test_a_node_that_came_later_is_looked_at_by_its_first_trial(
    cluster: Cluster, trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(node.software(), torch="1.0")
    monkeypatch.setattr(node, "software", lambda: other)
    storage = Storage(tmp_path)
    queue = Queue({trial.id: trial}, storage)
    with pytest.raises(Invalid, match=r"^node \S+: torch is .*, the driver's 1.0; .* goes on$"):
        launch.run([queue], storage, tmp_path, Resources(gpus=0.0))
    assert list(storage.results()) == []


def test_a_node_that_came_later_and_cannot_train_ends_the_queue_and_loses_nothing(
    cluster: Cluster, trial: Trial, tmp_path: Path
) -> None:
    storage, begun = Storage(tmp_path), list[str]()
    slow = [trial.but(net=Use(Choosy), seed=seed) for seed in range(40)]
    trials = {one.id: one for one in slow}
    queue = Queue(trials, storage)
    unfit = cluster.add_node(num_cpus=1, env_vars={"UNFIT": "1"})
    try:
        with pytest.raises(Invalid, match=r"^node \S+: the weights: must be there; "):
            launch.run([queue], storage, tmp_path, Resources(gpus=0.0), begun.append)
    finally:
        cluster.remove_node(unfit)
    results = {i: storage.trial(i).result().status for i in storage.results()}
    assert set(results.values()) <= {"finished"}  # what ran elsewhere
    (stopped,) = set(begun) - set(results)
    assert len(begun) < len(trials)
    again = Queue({stopped: trials[stopped]}, storage)
    assert launch.run([again], storage, tmp_path, Resources(gpus=0.0)) == {}
    assert stopped in storage.results()


@pytest.fixture
def impatient() -> Iterator[Cluster]:
    """Another cluster, which takes a node for dead after seconds instead of half a minute."""
    ray.shutdown()
    head = {
        "num_cpus": 1,
        "include_dashboard": False,
        "_system_config": {"health_check_period_ms": 500, "health_check_timeout_ms": 2000},
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_node_that_is_lost_while_it_is_looked_at_is_told_and_the_others_are_fit(
    impatient: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lost = impatient.add_node(num_cpus=1)
    (raylet,) = (info.process for info in lost.all_processes["raylet"])
    raylet.send_signal(signal.SIGSTOP)  # as where its power is gone: nothing says so
    try:
        nodes.require_fit(Storage(tmp_path))
    finally:
        raylet.kill()
    told = capfd.readouterr().out
    assert re.search(r"^node \S+ \(\d.*\): lost; the study goes on without it$", told, re.M)
    assert len(alive_nodes()) == 1
