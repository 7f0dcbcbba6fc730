"""`study/run.py` as a process: started, watched, killed; and what it leaves behind."""

import io
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run

from analysis.records import EXPERIMENT
from study.command import main
from trainables.selection import CLOCK
from trainables.storage.storage import Storage

T = TypeVar("T")

# A net so small that a command's time is not that of its epochs.
TINY = ("--set", "net=CifarResNet(depth=8, width=2)")
# One worker instead of two: its start takes longer than all that a few tiny trials compute.
ONE = ("--max-concurrent", "1")


GIVEN = dict(os.environ)


def environment() -> dict[str, str]:
    """Without what a Ray of this process, or one that was here, has set."""
    return {n: v for n, v in os.environ.items() if not n.startswith("RAY_") or n in GIVEN}


def command(grid: str, storage: Path | str, *more: str, epochs: int) -> list[str]:
    """The command for a grid at demo scale whose trials have so many epochs of one rate."""
    short = (f"recipe.epochs={epochs}", "recipe.milestones=()", "recipe.schedule=constant")
    changes = [part for change in short for part in ("--set", change)]
    run = [sys.executable, "study/run.py", "--grid", grid, *changes]
    return [*run, "--storage", str(storage), *more]


def finish(arguments: list[str], code: int = 0) -> str:
    """What the command says until it ends, with that exit code."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=900, env=environment())
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def here(arguments: list[str], code: int = 0) -> str:
    """As `finish`, in this process: it has imported what a new one would, and keeps its Ray."""
    said, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(errors):
        ended = main(arguments[2:])
    assert ended == code, said.getvalue() + errors.getvalue()
    return said.getvalue()


@contextmanager
def driving(arguments: list[str]) -> Iterator["Driver"]:
    """The command under way, which is killed at the end of the block if it still runs."""
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            arguments, stdout=log, stderr=subprocess.STDOUT, env=environment()
        ) as process,
    ):
        try:
            yield Driver(process, log)
        finally:
            process.kill()


@dataclass
class Driver:
    """Of a command under way: what it says is shown where it does what it should not."""

    process: subprocess.Popen[bytes]
    log: IO[str]

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def ended(self, code: int) -> str:
        """What it said until it ended by itself, with that exit code."""
        assert self.process.wait(timeout=600) == code, self.said()
        return self.said()

    def wait_until(self, condition: Callable[[], T], seconds: float = 300) -> T:
        """What the condition returns once that is true."""
        end = time.monotonic() + seconds
        while not (met := condition()):
            assert time.monotonic() < end, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.02)
        return met

    def wait_until_trained(self, storage: Path, further: int) -> None:
        """So many epochs more than there are now."""
        target = epochs_made(storage) + further
        self.wait_until(lambda: epochs_made(storage) >= target)

    def workers(self) -> list[psutil.Process]:
        """The processes that train; none between two trials."""
        return running("ImplicitFunc", self.process.pid)

    def kill_worker(self, chance: random.Random) -> None:
        """One that trains, as soon as there is one."""

        def killed() -> bool:
            busy = self.workers()
            with suppress(psutil.NoSuchProcess):  # it has ended since: the next one, then
                if busy:
                    chance.choice(busy).kill()
                    return True
            return False

        self.wait_until(killed)


def running(name: str, pid: int | None = None) -> list[psutil.Process]:
    """The workers of a process, or of this one, that Ray has named so, after what they run."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # it has ended since
            if name in "".join(child.cmdline()):
                found.append(child)
    return found


def epochs_made(storage: Path) -> int:
    histories = storage.glob("trials/*/history.json")
    return sum(len(json.loads(path.read_text())) for path in histories)


def epochs_said(storage: Storage) -> Counter[tuple[str, str]]:
    """How often each epoch of each trial was trained to its end, as the logs say."""
    ids = {name.split("/")[1] for name in storage.top.names("trials/*/log.txt")}
    logs = {i: "".join(storage.trial(i).log_lines()) for i in ids}
    return Counter(
        (i, n) for i, log in logs.items() for n in re.findall(r"^epoch (\d+),", log, re.M)
    )


def results(storage: Path) -> dict[str, Any]:
    """What was trained, by trial id, without what the clock says."""
    found = {}
    for path in storage.glob("trials/*/result.json"):
        result = json.loads(path.read_text())
        history = [
            {k: v for k, v in epoch.items() if k not in CLOCK} for epoch in result["history"]
        ]
        found[path.parent.name] = (result["status"], result["selected"], history)
    return found


def written(storage: Path) -> dict[Path, int]:
    """When each file of a trial was last written, in ns."""
    return {path: path.stat().st_mtime_ns for path in storage.glob("trials/*/*")}


def table(storage: Path) -> str:
    """Of the only study there."""
    (path,) = storage.glob("studies/*/report/table.csv")
    return path.read_text()


def searches(storage: Path) -> Any:
    """Of the only study there."""
    (path,) = storage.glob("studies/*/report/searches.json")
    return json.loads(path.read_text())


def database(storage: Path) -> str:
    """The address of the tracker that a local storage has by default."""
    return f"sqlite:///{storage / 'mlflow.db'}"


def runs(tracker: str, kind: str) -> list[Run]:
    """Of trials, or of studies."""
    client = MlflowClient(tracker)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'"))
