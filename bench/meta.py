"""What a step costs whose weights are learned from clean images, beside a plain step.

ResNet-32, batch 128, float32: cross-entropy, then each method with its hyper-gradient in forward
mode, with the graph of the batch kept or not (lean), and by double backward, in turn. Then the
memory that a step of each takes at its peak.

    python bench/meta.py
"""

import argparse
import sys
import tempfile
from itertools import accumulate
from pathlib import Path

import torch
from figure import Figure, exit_code
from noise import Noise
from throughput import NETS, REPEATS, measure, ours, show, trial_of
from torch.profiler import ProfilerActivity, profile

from trainables.methods.advisor import Advisor
from trainables.methods.gdw import GDW
from trainables.methods.l2rw import L2RW
from trainables.methods.method import Method
from trainables.methods.mw_net import MWNet
from trainables.settings import Use
from trainables.training.site import Site, describe
from trainables.trial import Trial

TIME = 4.0  # plain steps, in forward mode, lean or not
SHORT = 2.8  # with the hyper-gradient through the last layers only
MEMORY = 1.5  # times that of a plain step, in forward mode, lean or not

STEPS = 2  # on end
FORMATS = {"precision": "float32", "memory_format": "channels_last"}
METHODS = {
    "MW-Net": Use(MWNet),
    "L2RW": Use(L2RW),
    "MFRW": Use(Advisor, weighs="features"),
    "MES": Use(Advisor, weighs="softmax"),
    "MFRW-MES": Use(Advisor),
    "GDW": Use(GDW),
}
LAYERS = 15  # weight tensors, as FaMUS
SHORTENED = {
    f"{name}, last {LAYERS} tensors": use.but(layers=LAYERS) for name, use in METHODS.items()
}
FORWARD = {
    **{name: use.but(gradient="forward") for name, use in METHODS.items()},
    **{f"{name}, lean": use.but(gradient="lean") for name, use in METHODS.items()},
}
PLAIN = "cross-entropy"
ALL = {
    PLAIN: Use(Method),
    **FORWARD,
    **SHORTENED,
    **{f"{name}, double backward": use.but(gradient="double") for name, use in METHODS.items()},
}


def with_method(method: Use, net: Use, batch_size: int, steps: int) -> Trial:
    """A trial whose epoch has so many steps; clean images are as many as a batch has."""
    plain = trial_of(net, FORMATS, steps, batch_size)
    each = batch_size // Noise.classes + 1
    source = Use(Noise, images=steps * batch_size + 3 * Noise.classes * each)
    sizes = {"train_per_class": steps * batch_size // Noise.classes, "meta_per_class": each}
    return plain.but(data=plain.data.but(source=source, **sizes), method=method)


def times(net: Use, batch_size: int, repeats: int, site: Site) -> list[Figure]:
    """Time of a step of each method over that of cross-entropy."""
    trials = {name: with_method(use, net, batch_size, STEPS) for name, use in ALL.items()}
    chunks = {name: ours(trial, site) for name, trial in trials.items()}
    taken = measure(chunks, repeats, site.device)
    plain = taken.pop(PLAIN)
    return [
        Figure(f"{name} / {PLAIN}", (taken[name] / plain).tolist(), goal, "lower")
        for name in taken
        for goal in [TIME if name in FORWARD else SHORT if name in SHORTENED else None]
    ]


def peak(name: str, net: Use, batch_size: int, site: Site) -> int:
    """Bytes that a step has at once, beyond what is there before it."""
    run = ours(with_method(ALL[name], net, batch_size, 1), site)
    run()
    if site.device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    events = seen.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in changes))


def memory(net: Use, batch_size: int, site: Site) -> list[Figure]:
    """Peak memory of a step of each method over that of cross-entropy."""
    found = {name: peak(name, net, batch_size, site) for name in ALL}
    plain = found.pop(PLAIN)
    return [
        Figure(f"memory of {name} / {PLAIN}", [value / plain], goal, "lower")
        for name, value in found.items()
        for goal in [MEMORY if name in FORWARD else None]
    ]


def main(arguments: list[str] | None = None) -> int:
    """Prints all ratios. Returns 1 where one misses its goal."""
    parser = argparse.ArgumentParser(description="Cost of learning weights from clean images.")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: a trial's, 1)")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--batch-size", type=int, default=128)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    net = NETS["ResNet-32"]
    with tempfile.TemporaryDirectory() as folder:
        site = Site.here(Path(folder), args.threads)
        here = describe(site)
        print(f"{here['device']}, threads: {args.threads}, torch {here['torch']}; float32")
        print("each ratio: median (least .. most), goal")
        figures = show(times(net, args.batch_size, args.repeats, site))
        return exit_code([*figures, *show(memory(net, args.batch_size, site))])


if __name__ == "__main__":
    sys.exit(main())
