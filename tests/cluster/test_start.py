"""cluster/start.sh, with stand-ins for `ray` and `mlflow`: one server, of the newest settings."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

START = Path(__file__).parents[2] / "cluster/start.sh"
# A server and a process of its own that holds no lock, as uvicorn is.
SERVER = """#!/usr/bin/env bash
sleep 600 9>&- & wait
"""

pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="needs flock, as a head has")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "bin").mkdir()
    for name, script in (("ray", "#!/bin/sh\n"), ("mlflow", SERVER)):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    yield tmp_path
    for process in processes(tmp_path):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def start(home: Path, records: str) -> subprocess.Popen[bytes]:
    """`start.sh head`, with the place of MLflow's records."""
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    environment = {"HOME": str(home), "PATH": path, "MLFLOW_BACKEND_STORE_URI": records}
    return subprocess.Popen(["bash", START, "head"], env=environment)


def processes(home: Path) -> list[psutil.Process]:
    """All that has been started there and lives."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get("HOME") == str(home):
                found.append(process)
    return found


def servers(home: Path) -> list[str]:
    """Where each server that runs writes, and each process that one has started."""
    found = []
    for process in processes(home):
        with suppress(psutil.Error):
            if "mlflow" in " ".join(process.cmdline()[:2]) or "600" in process.cmdline():
                found.append(process.environ()["MLFLOW_BACKEND_STORE_URI"])
    return found


def wait_for(home: Path, *records: str) -> None:
    end = time.monotonic() + 30
    while servers(home) != list(records):
        assert time.monotonic() < end, servers(home)
        time.sleep(0.05)


def test_called_again_it_serves_the_new_settings_and_those_alone(home: Path) -> None:
    for records in ("old", "new", "new", "newer"):
        assert start(home, records).wait(30) == 0
        wait_for(home, records, records)


def test_called_several_times_at_once_it_has_one_server(home: Path) -> None:
    assert start(home, "old").wait(30) == 0
    wait_for(home, "old", "old")
    calls = [start(home, "new") for _ in range(4)]
    assert [call.wait(60) for call in calls] == [0] * 4
    wait_for(home, "new", "new")
    time.sleep(1)
    assert servers(home) == ["new", "new"]
    (loop,) = [p for p in processes(home) if p.pid == int((home / "mlflow.lock").read_text())]
    assert os.getpgid(loop.pid) == loop.pid


def test_a_group_that_ended_before_is_left_alone(home: Path) -> None:
    """After a restart of the machine, its number may be another's."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        (home / "mlflow.lock").write_text(f"{other.pid}\n")
        assert start(home, "new").wait(30) == 0
        wait_for(home, "new", "new")
        assert other.poll() is None
        other.kill()
