"""Connecting to a cluster that has no worker yet, or that asks for its token. Real Ray."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from study.running import cluster as ours
from study.running.address import VALID
from trainables.settings import Invalid

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True)
def _disconnected() -> Iterator[None]:
    ray.shutdown()
    yield
    ray.shutdown()


def test_a_first_worker_is_waited_for_and_a_cluster_without_any_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ours, "FIRST_WORKER_SECONDS", 1.0)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        with pytest.raises(Invalid, match=f"--address = {cluster.address}: must be a cluster with"):
            ours.connect(cluster.address)
        assert capsys.readouterr().out == "waiting for the cluster's first worker\n"
        ray.shutdown()
        cluster.add_node(num_cpus=1)
        ours.connect(cluster.address)
        assert ours.largest_node() == {"CPU": 1, "GPU": 0}
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_a_command_without_the_token_of_its_cluster_ends_with_one_line(tmp_path: Path) -> None:
    ours.connect(None)
    address = ray.get_runtime_context().gcs_address
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    command = [sys.executable, "study/run.py", "--grid", "kesl_ablation"]
    done = subprocess.run(
        [*command, "--address", address, "--storage", str(tmp_path)],
        env=kept | {"RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: --address = {address}: must be {VALID} "
        "(it asks for its token, with RAY_AUTH_MODE=token)"
    )
    assert list(tmp_path.iterdir()) == []
