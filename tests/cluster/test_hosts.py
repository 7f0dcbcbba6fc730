"""The cluster on real hosts: `ray up`, a study that loses a host, its table and UIs, `ray down`.

The hosts are namespaces of this machine. They run cluster.local.yaml with other addresses, and the
environment of these tests in place of one that would be installed.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.hosts import Host, hosts, lacking

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
EPOCHS = 8
TRIALS = 6
CHANGES = (f"recipe.epochs={EPOCHS}", "recipe.milestones=()", "recipe.schedule=constant")
RECORDED = [
    *("--grid", "kesl_backbones"),
    *(argument for change in CHANGES for argument in ("--set", change)),
]
STUDY = [*RECORDED, "--seeds", "1"]
RAY = f"{sys.prefix}/bin/ray"
GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=10).read().decode())"


@dataclass
class Cluster:
    """The laptop, the hosts, and the checkout from which `ray up` was run."""

    laptop: Host
    head: Host
    workers: list[Host]
    checkout: Path
    storage: Path

    def ray(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return self.laptop.run(
            [RAY, *arguments],
            cwd=self.checkout,
            timeout=timeout,
            RAY_UP_enable_autoscaler_v2="0",
            RAY_USAGE_STATS_ENABLED="0",
            RAY_AUTH_MODE="token",
        )

    def results(self) -> dict[str, Any]:
        """Finished trials by id."""
        found = self.storage.glob("trials/*/result.json")
        return {path.parent.name: json.loads(path.read_text()) for path in found}

    def fetch(self, url: str) -> subprocess.CompletedProcess[str]:
        """The page, as a program on the laptop gets it."""
        return self.laptop.run([sys.executable, "-c", GET, url])

    def wait_until_fetched(self, url: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while (got := self.fetch(url)).returncode != 0:
            assert time.monotonic() < end, got.stdout
            time.sleep(0.5)
        return got.stdout

    @contextmanager
    def attached(self) -> Iterator[None]:
        """While `ray attach` holds the two forwarded ports."""
        ports = ["--port-forward", "8265", "--port-forward", "5000"]
        with subprocess.Popen(
            self.laptop.command([RAY, "attach", "cluster.yaml", *ports], self.checkout),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as shell:
            try:
                yield
            finally:
                shell.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := lacking():
        pytest.skip(f"hosts cannot be made on this machine: {why}")
    folder = tmp_path_factory.mktemp("cluster")
    with hosts(folder / "hosts", "laptop", "head", "worker-1", "worker-2") as made:
        laptop, head, *workers = made
        token = laptop.home / ".ray" / "auth_token"
        token.parent.mkdir()
        token.touch(0o600)
        token.write_text("0123456789abcdef" * 4)
        checkout, storage = folder / "checkout", folder / "storage"
        copy_checkout(checkout, storage)
        write_form(checkout / "cluster.yaml", folder / "hosts/keys/user", head, workers)
        cluster = Cluster(laptop, head, workers, checkout, storage)
        up = cluster.ray("up", "-y", "--no-config-cache", "cluster.yaml", timeout=240)
        assert up.returncode == 0, up.stdout
        yield cluster


def copy_checkout(checkout: Path, storage: Path) -> None:
    """What cluster.local.yaml sends to the nodes, with its settings filled in."""
    for local in yaml.safe_load((ROOT / "cluster.local.yaml").read_text())["file_mounts"].values():
        source = ROOT / local
        if source.is_dir():
            shutil.copytree(
                source,
                checkout / local,
                ignore=shutil.ignore_patterns("__pycache__"),
                symlinks=True,
            )
        elif not local.startswith("~"):
            checkout.mkdir(exist_ok=True)
            shutil.copy(source, checkout / local)
    path = checkout / "cluster/settings.sh"
    settings = path.read_text()
    for name, value in (("STUDY_STORAGE", storage), ("STUDY_VENV", sys.prefix)):
        settings, changed = re.subn(f"(?m)^export {name}=.*$", f"export {name}={value}", settings)
        assert changed == 1
    path.write_text(f"{settings}export PYTHONPATH=$HOME/label-studies\n")


def write_form(path: Path, key: Path, head: Host, workers: list[Host]) -> None:
    """cluster.local.yaml for these hosts: one trial at a time on each, and nothing to install."""
    form = yaml.safe_load((ROOT / "cluster.local.yaml").read_text())
    form["cluster_name"] = f"test-{os.getpid()}"
    form["provider"]["head_ip"] = head.address
    form["provider"]["worker_ips"] = [worker.address for worker in workers]
    form["auth"] = {"ssh_user": "root", "ssh_private_key": str(key)}
    form["head_setup_commands"] = []
    form["setup_commands"] = [c for c in form["setup_commands"] if "setup.sh" not in c]
    form["worker_start_ray_commands"] = [f"{form['worker_start_ray_commands'][0]} --num-cpus=1"]
    path.write_text(yaml.safe_dump(form))


@pytest.fixture(scope="module")
def study(cluster: Cluster) -> str:
    """What a study printed that lost the host worker-2 while it ran."""
    arguments = map(shlex.quote, STUDY)  # which a shell on the head will read
    submit = ["submit", "cluster.yaml", "study/run.py", "--", *arguments]
    with (cluster.laptop.home / "study.log").open("w+") as log:
        driver = subprocess.Popen(
            cluster.laptop.command([RAY, *submit], cluster.checkout),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            end = time.monotonic() + 240
            while len(ran_on(cluster)) < 2:
                assert time.monotonic() < end, Path(log.name).read_text()
                assert driver.poll() is None, Path(log.name).read_text()
                time.sleep(0.2)
            assert len(cluster.results()) < TRIALS, "too short to lose a host in time"
            cluster.workers[1].kill()
            assert driver.wait(timeout=300) == 0, Path(log.name).read_text()
        finally:
            driver.kill()
        return Path(log.name).read_text()


def ran_on(cluster: Cluster) -> Counter[str]:
    """How many trials have ended on each host."""
    return Counter(result["site"]["host"] for result in cluster.results().values())


def test_a_study_that_loses_a_host_has_every_cell_once(cluster: Cluster, study: str) -> None:
    results = cluster.results()
    assert len(results) == TRIALS
    assert {result["status"] for result in results.values()} == {"finished"}
    for result in results.values():
        assert [epoch["epoch"] for epoch in result["history"]] == list(range(1, EPOCHS + 1))
    assert set(ran_on(cluster)) == {"worker-1", "worker-2"}
    assert f"{TRIALS} new" in study
    assert "DEMO SCALE" in study


def test_uis_table_and_jobs_reach_the_laptop_by_ssh_only(cluster: Cluster, study: str) -> None:
    for port in (5000, 8265):
        refused = cluster.fetch(f"http://{cluster.head.address}:{port}/")
        assert "Connection refused" in refused.stdout
    with cluster.attached():
        assert "<title>MLflow</title>" in cluster.wait_until_fetched("http://127.0.0.1:5000/", 60)
        cluster.wait_until_fetched("http://127.0.0.1:8265/", 20)
        unknown = cluster.fetch("http://127.0.0.1:8265/api/jobs/")
        assert "401" in unknown.stdout

        table = cluster.laptop.run(
            [sys.executable, "study/run.py", "--report", *RECORDED],
            cwd=cluster.checkout,
            PYTHONPATH=".",
            MLFLOW_TRACKING_URI="http://127.0.0.1:5000",
        )
        assert table.returncode == 0, table.stdout
        ours = [line for line in table.stdout.splitlines() if "ours (demo; n)" in line]
        assert len(ours) == 3
        assert [line for line in study.splitlines() if "ours (demo; n)" in line] == ours

        again = ["job", "submit", "--address", "http://127.0.0.1:8265", "--"]
        job = cluster.ray(*again, "python", "study/run.py", *STUDY)
        assert job.returncode == 0, job.stdout
        assert f"{TRIALS} with a result, 0 to be resumed, 0 new" in job.stdout


@pytest.mark.usefixtures("study")
def test_down_ends_ray_on_the_head_and_so_soon_on_its_workers(cluster: Cluster) -> None:
    worker = cluster.workers[0]
    assert ray_runs(cluster.head)
    assert ray_runs(worker)
    down = cluster.ray("down", "-y", "cluster.yaml")
    assert down.returncode == 0, down.stdout
    assert not ray_runs(cluster.head)
    end = time.monotonic() + 120
    while ray_runs(worker):  # until it has looked for its head for a minute
        assert time.monotonic() < end
        time.sleep(0.5)


def ray_runs(host: Host) -> bool:
    return any("raylet/raylet" in line for line in host.processes())
