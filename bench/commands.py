"""What a second command on one storage saves: the time of two at once over that of one.

Each trial has ten epochs that only wait, and each command a Ray of its own with as many slots. So
what is scarce are slots, as on a cluster, and not the processors of this machine.

    python bench/commands.py
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figure import Figure, exit_code
from nothing import connect, nothing
from scale import EPOCHS, SEEDS, plan_of

from study.lease import lease
from study.request import Resources
from study.running import launch
from study.running.sources import queue
from study.tracking.tracker import Tracker
from trainables.storage.storage import Storage

GOAL = 0.65
TRIALS = 1000
SLOTS = 4  # of each command
WAIT_SECONDS = 0.2  # of each epoch
LOOK_SECONDS = 0.05


def main(arguments: list[str] | None = None) -> int:
    """Prints both times and their ratio. Returns 1 for a miss."""
    parser = argparse.ArgumentParser(description="What a second command on one storage saves.")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--slots", type=int, default=SLOTS, help="trials at once of a command")
    parser.add_argument("--wait", type=float, default=WAIT_SECONDS, help="seconds of an epoch")
    parser.add_argument("--command", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.command:
        command(*args.command, args.trials, args.slots, args.wait)
        return 0
    one, two = (timed(count, args.trials, args.slots, args.wait) for count in (1, 2))
    print(f"{args.trials} trials by one command in {one:.1f} s, by two at once in {two:.1f} s")
    figure = Figure("two commands / one", [two / one], GOAL, "lower")
    print(figure)
    return exit_code([figure])


def timed(commands: int, trials: int, slots: int, wait: float) -> float:
    """Seconds from the moment when all are connected until the last one has recorded its trials."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ["--trials", str(trials), "--slots", str(slots), "--wait", str(wait)]
        started = [
            subprocess.Popen([sys.executable, __file__, *options, "--command", str(i), name])
            for i in range(commands)
        ]
        try:
            while len(list(folder.glob("ready-*"))) < commands:
                if any(process.poll() for process in started):
                    sys.exit("a command ended before its first trial")
                time.sleep(LOOK_SECONDS)
            begun = time.perf_counter()
            (folder / "go").touch()
            if any(process.wait() for process in started):
                sys.exit("a command failed")
            seconds = time.perf_counter() - begun
        finally:
            for process in started:
                process.kill()
        done = len(list(Storage(folder / "storage").results()))
        if done != trials:
            sys.exit(f"{done} of {trials} trials have a result")
        return seconds


def command(name: str, shared: str, trials: int, slots: int, wait: float) -> None:
    """One of them, in the process of its own, as `study/session.py` runs a grid."""
    folder = Path(shared)
    connect(slots)
    made = [nothing(EPOCHS, 0.1 + i // SEEDS, i % SEEDS, wait) for i in range(trials)]
    todo = {trial.id: trial for trial in made}
    storage = Storage(folder / "storage")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with lease(storage, f"bench {name}") as me:
        (folder / f"ready-{name}").touch()
        while not (folder / "go").exists():
            time.sleep(LOOK_SECONDS)
        tracker = Tracker(uri, storage, plan_of(list(todo)), command=me)
        tracker.start()
        trained = queue(todo, storage, me)
        lost = launch.run([trained], storage, folder, Resources(gpus=0), tracker.begun, me)
        unwritten = tracker.stop()
    if lost or unwritten:
        sys.exit(f"without a result: {lost}; not in MLflow: {unwritten} ({tracker.behind})")


if __name__ == "__main__":
    sys.exit(main())
