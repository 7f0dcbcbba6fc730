"""How much faster K small trials are as one net than one after the other.

On a GPU also how much of that is due to repeated steps. An epoch of a few steps of each, in turn:
the demo counterparts of ResNet-50 and ResNet-32, batch 16, on the digits, and ResNet-32 itself,
batch 128, on 32 x 32 images.

    python bench/fused.py
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from figure import Figure, exit_code
from throughput import NETS, REPEATS, Chunk, measure, run_of, show, trial_of

from trainables.data.sources.digits import Digits
from trainables.nets.resnet import CifarResNet
from trainables.nets.torchvision_nets import ResNet50
from trainables.settings import Use
from trainables.training.fused import Together
from trainables.training.site import Site, describe, formats_of

COUNTS = (4, 16)
STEPS = {"cpu": 2, "cuda": 50}  # in an epoch: on a GPU each epoch makes a recording, too
ON_A_GPU = 8.0  # of 16: in at most twice the time of one
RESNET32 = NETS["ResNet-32"]
CASES = {  # a net, the batch size, and whether the images are the digits
    "demo ResNet-50": (ResNet50.demo(Use(ResNet50)), 16, True),
    "demo ResNet-32": (CifarResNet.demo(RESNET32), 16, True),
    "ResNet-32": (RESNET32, 128, False),
}


def chunks(net: Use, batch_size: int, digits: bool, count: int, site: Site) -> dict[str, Chunk]:
    """An epoch of so many trials, which differ in their seeds, in both ways."""
    steps = STEPS[site.device.type]
    one = trial_of(net, formats_of(site.device.type), steps, batch_size)
    if digits:
        one = one.set(
            {"data.source": Use(Digits), "data.train_per_class": steps * batch_size // 10}
        )
    trials = [one.but(seed=seed) for seed in range(count)]
    alone = [run_of(trial, site) for trial in trials]

    def one_by_one() -> None:
        for run in alone:
            run.take_steps()

    def together(site: Site) -> Chunk:
        return Together([run_of(trial, site) for trial in trials]).take_steps

    ways = {"alone": one_by_one, "together": together(site)}
    return ways | ({"anew": together(replace(site, capture=False))} if site.captures else {})


def gains(
    name: str, net: Use, batch_size: int, digits: bool, count: int, repeats: int, site: Site
) -> list[Figure]:
    """The time of all, one after the other or fused without repeats, over that of all fused."""
    taken = measure(chunks(net, batch_size, digits, count, site), repeats, site.device)
    goal = ON_A_GPU if site.device.type == "cuda" and count == max(COUNTS) else None
    fused = taken.pop("together")
    label = f"{name}, batch {batch_size}: {count} fused"
    return [
        Figure(f"{label} / {way}", (time / fused).tolist(), goal if way == "alone" else None)
        for way, time in taken.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Prints the ratios. Returns 1 where one misses its goal."""
    parser = argparse.ArgumentParser(description="Trials as one net, beside one after the other.")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: a trial's, 1)")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        site = Site.here(Path(folder), args.threads)
        here = describe(site)
        load = os.getloadavg()[0]
        print(f"{here['device']}, threads: {args.threads}, load {load:.1f}; torch {here['torch']}")
        figures = []
        for name, case in CASES.items():
            for count in COUNTS:
                figures += show(gains(name, *case, count, args.repeats, site))
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
