"""Images/s of a trial that two workers train together, over those of one alone.

Both train ResNet-18 on 32 x 32 images, batch 128, in epochs of a few steps, in turn; each worker
has one core. The goal is for two cores that nobody else uses: the load is told.

    python bench/workers.py
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from figure import Figure, exit_code
from throughput import NETS, Chunk, ours, seconds, trial_of

from trainables.training.site import Site, describe, formats_of
from trainables.training.workers import joined

WORKERS = 2
OF_ONE = 1.6
REPEATS, STEPS = 5, 2
CPU = torch.device("cpu")


def measure(
    rank: int, folder: Path, batch_size: int, repeats: int
) -> tuple[list[float], list[float]]:
    """Of each repeat an epoch's time by one worker over that by all: clock and processors."""
    torch.set_num_threads(1)
    site = Site(folder, CPU)
    trial = trial_of(NETS["ResNet-18"], formats_of("cpu"), STEPS, batch_size)
    clock, processors = [], []
    with joined(f"file://{folder}/meeting", rank, WORKERS, "cpu") as workers:
        alone, together = ours(trial, site), ours(trial, replace(site, workers=workers))
        together()
        for _ in range(repeats):
            one = torch.tensor(spent(alone) if rank == 0 else (0.0, 0.0))
            dist.barrier()
            two = torch.tensor(spent(together))
            seconds_of_first = float(two[0])
            dist.all_reduce(two)
            clock.append(float(one[0]) / seconds_of_first)
            processors.append(float(one[1] / two[1]))
    return clock, processors


def spent(chunk: Chunk) -> tuple[float, float]:
    """Seconds by the clock, and of this process on a processor."""
    begun = time.process_time()
    passed = seconds(chunk, CPU)
    return passed, time.process_time() - begun


def main(arguments: list[str] | None = None) -> int:
    """Prints the ratio. Returns 1 where it misses its goal."""
    parser = argparse.ArgumentParser(description="Two workers of one trial beside one.")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--batch-size", type=int, default=128)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        here = describe(Site(Path(folder), CPU))
        machine = f"{here['device']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before"
        print(f"{machine}; torch {here['torch']}; {args.repeats} x {STEPS} steps each")
        given = (Path(folder), args.batch_size, args.repeats)
        other = multiprocessing.get_context("spawn").Process(target=measure, args=(1, *given))
        other.start()
        clock, processors = measure(0, *given)
        other.join()
    figures = [
        Figure("two workers / one, ResNet-18", clock, OF_ONE),
        Figure("one / two workers, CPU time", processors, None),
    ]
    print(*figures, sep="\n")
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
