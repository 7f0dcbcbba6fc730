"""What a study costs beside its training: the main job at demo scale, run twice in a new storage.

Efficiency is the seconds that the trials trained, summed, over the wall time after start-up times
the trials that ran at once. Start-up ends when the first trial's settings are written, just before
its first step; the wall time ends with the last trial's result, and what comes after (the rest of
the tracking, table, report) is printed beside it. The tail, when fewer trials are left than run at
once, counts; without it, only the time until a place stays empty is looked at. The second run
trains nothing.

    python bench/overhead.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from figure import Figure, exit_code

EFFICIENCY = 0.90
SECOND_RUN = 15.0  # seconds

REPEATS = 7
COMMAND = Path(__file__).parents[1] / "study" / "run.py"


@dataclass(frozen=True)
class Span:
    """When a trial started and ended, in seconds since 1970, and how long of that it trained."""

    start: float
    end: float
    seconds: float


def spans(storage: Path) -> list[Span]:
    """Of every trial with a result."""
    found = []
    for path in storage.glob("trials/*/result.json"):
        result = json.loads(path.read_text())
        start = path.with_name("trial.json").stat().st_mtime
        found.append(Span(start, result["ended"], result["seconds"]))
    return found


def at_once(trials: Sequence[Span]) -> int:
    """The most trials that ran at the same time."""
    return max(sum(t.start <= now.start < t.end for t in trials) for now in trials)


def efficiency(trials: Sequence[Span], until: float) -> float:
    """Training seconds over wall time times places, from the first trial's start until then."""
    trained = sum(
        t.seconds * max(0.0, min(t.end, until) - t.start) / (t.end - t.start) for t in trials
    )
    return trained / (at_once(trials) * (until - min(t.start for t in trials)))


def end(trials: Sequence[Span]) -> float:
    """When the last trial ended."""
    return max(t.end for t in trials)


def tail(trials: Sequence[Span]) -> float:
    """When the first place stayed empty."""
    return sorted(t.end for t in trials)[-at_once(trials)]


def run(grid: str, seeds: int, storage: Path) -> tuple[float, float]:
    """When the study command began and ended, in seconds since 1970."""
    options = ["--grid", grid, "--seeds", str(seeds), "--storage", str(storage)]
    begun = time.time()
    done = subprocess.run([sys.executable, COMMAND, *options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}the study ended with exit code {done.returncode}")
    return begun, time.time()


def main(arguments: list[str] | None = None) -> int:
    """Prints the study's efficiency and the seconds of a second run. Returns 1 for a miss."""
    parser = argparse.ArgumentParser(description="What a study costs beside its training.")
    parser.add_argument("--grid", default="kesl_ablation")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    args = parser.parse_args(arguments)
    whole, packed, again = [], [], []
    for _ in range(args.repeats):
        with tempfile.TemporaryDirectory() as folder:
            storage = Path(folder)
            begun, ended = run(args.grid, args.seeds, storage)
            trials = spans(storage)
            second = run(args.grid, args.seeds, storage)
            if sorted(spans(storage), key=hash) != sorted(trials, key=hash):
                sys.exit("the second run trained something")
        first, last = min(t.start for t in trials), end(trials)
        whole.append(efficiency(trials, last))
        packed.append(efficiency(trials, tail(trials)))
        again.append(second[1] - second[0])
        print(
            f"start-up {first - begun:.1f} s; {len(trials)} trials, {at_once(trials)} at once, in "
            f"{last - first:.1f} s, {sum(t.seconds for t in trials):.1f} s of them training; after "
            f"them {ended - last:.1f} s; second run {again[-1]:.1f} s",
            flush=True,
        )
    figures = [
        Figure("efficiency", whole, EFFICIENCY),
        Figure("efficiency without the tail", packed, EFFICIENCY),
        Figure("second run", again, SECOND_RUN, "lower", " s"),
    ]
    print(*figures, sep="\n")
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
