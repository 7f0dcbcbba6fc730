"""How much faster K small trials are at once, a process each, than one after the other.

So Ray trains those that ask for a fraction of a GPU. On a GPU it is measured under NVIDIA's MPS as
well, by which kernels of several processes run at the same time. ResNet-32, batch 128, on 32 x 32
images: in each repeat the first process trains an epoch of a few steps alone, then all do.
`bench/fused.py` has the same trials as one net.

    python bench/shared_gpu.py
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch
from figure import Figure
from throughput import NETS, REPEATS, ours, seconds, show, trial_of

from trainables.training.site import Site, describe, formats_of

COUNTS = {"cpu": (2,), "cuda": (4, 16)}
STEPS = {"cpu": 2, "cuda": 50}
WAIT_SECONDS = 120.0  # for the other processes
CONTROL = "nvidia-cuda-mps-control"

Times = tuple[float, float]  # seconds of one process alone, and of all at once


def train(
    rank: int,
    folder: Path,
    device: str,
    batch_size: int,
    repeats: int,
    together: Barrier,
    found: "SimpleQueue[Times]",
) -> None:
    """One process: an epoch that warms up, then its part in each repeat. The first one tells."""
    torch.set_num_threads(1)
    site = Site(folder, torch.device(device))
    trial = trial_of(NETS["ResNet-32"], formats_of(device), STEPS[device], batch_size)
    epoch = ours(trial.but(seed=rank), site)
    epoch()
    for _ in range(repeats):
        together.wait(WAIT_SECONDS)
        alone = seconds(epoch, site.device) if rank == 0 else 0.0
        together.wait(WAIT_SECONDS)
        begun = time.perf_counter()
        seconds(epoch, site.device)
        together.wait(WAIT_SECONDS)
        if rank == 0:
            found.put((alone, time.perf_counter() - begun))


def measure(count: int, folder: Path, device: str, batch_size: int, repeats: int) -> list[Times]:
    """Of each repeat. Raises RuntimeError where a process fails."""
    context = multiprocessing.get_context("spawn")
    together, found = context.Barrier(count), context.SimpleQueue()
    given = (folder, device, batch_size, repeats, together, found)
    processes = [context.Process(target=train, args=(rank, *given)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a process has failed")
    return [found.get() for _ in range(repeats)]


@contextmanager
def mps(folder: Path) -> Iterator[None]:
    """Processes started inside share the GPU by a daemon of their own.

    Raises OSError where there is none.
    """
    own = {f"CUDA_MPS_{name}_DIRECTORY": str(folder / name.lower()) for name in ("PIPE", "LOG")}
    for path in own.values():
        Path(path).mkdir(exist_ok=True)
    control = shutil.which(CONTROL)
    if not control:
        raise OSError(f"there is no {CONTROL}")
    if subprocess.run([control, "-d"], env=os.environ | own).returncode:
        raise OSError(f"{CONTROL} does not start")
    os.environ.update(own)
    try:
        yield
    finally:
        subprocess.run([control], input="quit\n", text=True, check=False)
        for name in own:
            del os.environ[name]


def gain(count: int, folder: Path, device: str, batch_size: int, repeats: int, how: str) -> Figure:
    """The time of all one after the other, over that at once."""
    taken = measure(count, folder, device, batch_size, repeats)
    name = f"ResNet-32, batch {batch_size}: {count} processes{how} / alone"
    return Figure(name, [count * alone / at_once for alone, at_once in taken], None)


def main(arguments: list[str] | None = None) -> int:
    """Prints the ratios, or why there are none under MPS. Returns 0: nothing is bounded."""
    parser = argparse.ArgumentParser(description="Small trials at once on one device.")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--batch-size", type=int, default=128)
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        here = Site.here(folder)
        device = here.device.type
        print(f"{describe(here)['device']}, load {os.getloadavg()[0]:.1f}")
        given = (folder, device, args.batch_size, args.repeats)
        for count in COUNTS[device]:
            show([gain(count, *given, how="")])
        if device == "cuda":
            try:
                with mps(folder):
                    for count in COUNTS[device]:
                        show([gain(count, *given, how=" under MPS")])
            except OSError as error:
                print(f"under MPS not measured: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
