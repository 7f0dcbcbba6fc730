"""Faults of every kind: kills at random moments, a server that is away, full disks, bad files.

Real Ray, real MLflow server, SIGKILL. A study ends with the table of one that was left alone.
Searches are killed in test_search_runs.py.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import psutil
import pytest
from mlflow import MlflowClient

from study.run import main
from study.tracking import EXPERIMENT
from tests.study.test_exactly_once import epochs_made, results, table, wait_until_trained, workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

GRID = "kesl_label_smoothing"  # four rows
EPOCHS = 12
SHORT = (f"recipe.epochs={EPOCHS}", "recipe.milestones=()", "recipe.schedule=constant")


class Server:
    """An MLflow server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.start()
        self.wait()

    def start(self) -> None:
        store = ["--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}"]
        files = ["--artifacts-destination", str(self.folder / "artifacts")]
        listen = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        command = [sys.executable, "-m", "mlflow", "server", *store, *files, *listen]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        end = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.2)

    def kill(self) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True)
        for process in (self.process, *children):
            process.kill()
        self.process.wait()

    def statuses(self, kind: str) -> dict[str, list[str]]:
        """Of the runs of each trial or study."""
        client = MlflowClient(self.uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        assert experiment is not None
        found: dict[str, list[str]] = {}
        for run in client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'"):
            name = run.data.tags["trial_id" if kind == "trial" else "study"]
            found.setdefault(name, []).append(run.info.status)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.kill()


def command(storage: Path, seeds: int, *more: str) -> list[str]:
    changes = [argument for change in SHORT for argument in ("--set", change)]
    run = [sys.executable, "study/run.py", "--grid", GRID, "--seeds", str(seeds), *changes]
    return [*run, "--storage", str(storage), *more]


def start(arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def finish(arguments: list[str], code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=900)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def kill_worker(driver: subprocess.Popen[bytes], chance: random.Random) -> None:
    """One that trains, as soon as there is one."""
    end = time.monotonic() + 120
    while not (busy := workers(driver)):
        assert time.monotonic() < end
        assert driver.poll() is None
        time.sleep(0.05)
    chance.choice(busy).kill()


def kill_driver(driver: subprocess.Popen[bytes]) -> None:
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty trials."""
    storage = tmp_path_factory.mktemp("undisturbed")
    finish(command(storage, 5))
    assert len(results(storage)) == 20
    return storage


def test_twenty_kills_leave_the_table_and_each_run_once(
    undisturbed: Path, server: Server, tmp_path: Path
) -> None:
    chance = random.Random(0)
    run = command(tmp_path, 5, "--tracking-uri", server.uri)
    for _ in range(4):
        server.wait()
        driver = start(run)
        for victim in chance.sample(["worker", "worker", "worker", "server"], 4):
            wait_until_trained(driver, tmp_path, epochs_made(tmp_path) + chance.randint(1, 8))
            if victim == "worker":
                kill_worker(driver, chance)
            else:
                server.kill()
        wait_until_trained(driver, tmp_path, epochs_made(tmp_path) + chance.randint(1, 8))
        kill_driver(driver)
        server.start()
    server.wait()
    finish(run)

    assert results(tmp_path) == results(undisturbed)
    assert table(tmp_path, GRID) == table(undisturbed, GRID)
    assert server.statuses("trial") == {i: ["FINISHED"] for i in results(tmp_path)}
    assert list(server.statuses("study").values()) == [["FINISHED"]]


def test_a_server_that_is_away_stops_nothing_and_is_told_all_when_it_is_back(
    server: Server, tmp_path: Path
) -> None:
    run = command(tmp_path, 1, "--tracking-uri", server.uri, "--set", "seed=100")
    driver = subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until_trained(driver, tmp_path, 2)  # type: ignore[arg-type]
    server.kill()
    said, _ = driver.communicate(timeout=600)
    assert driver.returncode == 1
    assert len(results(tmp_path)) == 4
    last = said.splitlines()[-1]
    assert last.startswith("no report (")
    assert "MLflow lacks 4 runs; to write them: python study/run.py --grid" in last
    server.start()
    server.wait()
    finish(run)
    assert {i: server.statuses("trial")[i] for i in results(tmp_path)} == {
        i: ["FINISHED"] for i in results(tmp_path)
    }


def test_of_a_truncated_checkpoint_the_older_one_is_used(undisturbed: Path, tmp_path: Path) -> None:
    driver = start(command(tmp_path, 1))
    while not (both := [f for f in tmp_path.glob("trials/*") if len(checkpoints(f)) == 2]):
        assert driver.poll() is None
        time.sleep(0.02)
    kill_driver(driver)
    time.sleep(3)  # a worker may outlive its driver
    (folder, *_) = [f for f in both if len(checkpoints(f)) == 2]
    older, newest = checkpoints(folder)
    os.truncate(newest, newest.stat().st_size // 2)
    finish(command(tmp_path, 1))
    log = (folder / "log.txt").read_text()
    assert f"{newest.name} cannot be read, an older one is tried" in log
    assert f"resumed from {older.name}" in log
    assert results(tmp_path).items() <= results(undisturbed).items()
    assert len(results(tmp_path)) == 4


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*.pt"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_is_told_and_nothing_else_is_lost(undisturbed: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounts are not permitted here")
    try:
        driver = subprocess.Popen(
            command(disk, 1), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_until_trained(driver, disk, 3)  # type: ignore[arg-type]
        fill = ["dd", "if=/dev/zero", f"of={disk / 'ballast'}", "bs=4096"]
        assert subprocess.run(fill, capture_output=True).returncode == 1
        said, _ = driver.communicate(timeout=600)
        assert driver.returncode == 1
        assert "No space left on device" in said
        assert "Traceback" not in said
        (disk / "ballast").unlink()
        finish(command(disk, 1))
        assert results(disk).items() <= results(undisturbed).items()
        assert len(results(disk)) == 4
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_corrupt_search_database_gets_one_line(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "optuna.db"
    optuna.create_study(storage=f"sqlite:///{path}")
    content = bytearray(path.read_bytes())
    whole = slice(0, 100) if damage == "header" else slice(1000, len(content))
    content[whole] = bytes([7]) * len(content[whole])
    path.write_bytes(content)
    arguments = ["--grid", GRID, "--search", "2", "--storage", str(tmp_path)]
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --search-storage = sqlite:///{path}: must be the URL of a data")
    assert "not a database" in line or "malformed" in line
    assert path.read_bytes() == bytes(content)
    assert not list(tmp_path.glob("trials/*"))
