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
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from figure import Figure, exit_code
from throughput import NETS, ours, seconds, trial_of

from trainables.training.site import Site, describe, formats_of
from trainables.training.workers import joined

WORKERS = 2
OF_ONE = 1.6
REPEATS, STEPS = 7, 4
CPU = torch.device("cpu")


def measure(rank: int, folder: Path, batch_size: int, repeats: int) -> list[float]:
    """Seconds of an epoch by one worker over those by all, at each repeat; on every worker."""
    torch.set_num_threads(1)
    site = Site(folder, CPU)
    trial = trial_of(NETS["ResNet-18"], formats_of("cpu"), STEPS, batch_size)
    with joined(f"file://{folder}/meeting", rank, WORKERS, "cpu") as workers:
        alone, together = ours(trial, site), ours(trial, replace(site, workers=workers))
        alone()
        together()
        ratios = []
        for _ in range(repeats):
            one = seconds(alone, CPU) if rank == 0 else 0.0
            dist.barrier()
            all_of_them = seconds(together, CPU)
            dist.barrier()
            ratios.append(one / all_of_them)
    return ratios


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
        figure = Figure("two workers / one, ResNet-18", measure(0, *given), OF_ONE)
        other.join()
    print(figure)
    return exit_code([figure])


if __name__ == "__main__":
    sys.exit(main())
