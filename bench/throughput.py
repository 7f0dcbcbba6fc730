"""Images/s of the training loop, beside a plain PyTorch loop and beside what the net allows.

Three loops train the same net on 32 x 32 images, batch 128, in turn:
- ours: `Run`'s epoch, the code of every trial (loader, augmentation, method, metrics);
- plain: DataLoader, torchvision's transforms, float32, SGD, the loss read after each step;
- limit: forward, backward and optimizer step on one fixed batch, in our precision and format.
On a GPU the limit is a CUDA graph, and ours is measured once more with each step launched anew.
Then ResNet-32 is trained with the label, and with other targets, losses, heads and samplers.

    python bench/throughput.py
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from figure import Figure, exit_code
from noise import Noise, Pictures
from torch import Tensor
from torch.utils.data import DataLoader

from trainables.data.augments.augment import Crop, Flip
from trainables.data.samplers.pairs import Pairs
from trainables.data.samplers.resample import Resample
from trainables.data.samplers.sampler import Shuffle
from trainables.data.spec import DataSpec
from trainables.heads.cosine import Cosine
from trainables.heads.label_decoder import LabelDecoder
from trainables.heads.word_vectors import WordVectors
from trainables.losses.huber import Huber
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.ldam import LDAM
from trainables.losses.reweighted import Reweighted
from trainables.losses.sigmoid_focal import SigmoidFocal
from trainables.nets.resnet import CifarResNet
from trainables.nets.torchvision_nets import ResNet18
from trainables.recipe import Recipe
from trainables.settings import Use
from trainables.storage.folder import Folder
from trainables.storage.trial_files import TrialFiles
from trainables.targets.knowledge import Knowledge
from trainables.targets.label_matrix import LabelMatrix
from trainables.targets.online import Online
from trainables.targets.smooth import Smooth
from trainables.training.captured import WARM_UP
from trainables.training.recorder import Graphs
from trainables.training.run import Run
from trainables.training.site import Site, describe, formats_of
from trainables.trial import Trial

OF_OTHERS = {"limit": 0.95, "anew": 1.0}
OF_PLAIN = {"bfloat16": 1.3, "float32": 1.0}  # by our precision: with matrix units, and without
OF_PLAIN_IF_SMALL = 5.0  # of a net for CIFAR on a GPU, which launches bind
# A step with other parts, with those for unequal classes, and with a decoder of label matrices.
EXTRA, BALANCED, DECODED = 1.03, 1.05, 1.35

REPEATS = 7
CHUNK_SECONDS = 1.0  # of steps on end, of the limit; at least one step
NETS = {"ResNet-18": Use(ResNet18), "ResNet-32": Use(CifarResNet, depth=32)}
PLAIN = {"precision": "float32", "memory_format": "contiguous"}
PARTS: dict[str, dict[str, Use]] = {
    "cross-entropy": {},
    "label smoothing": {"targets": Use(Smooth)},
    "OLS": {"targets": Use(Online)},
    "KESL": {"targets": Use(Knowledge, hierarchy="strokes"), "loss": Use(KnowledgeLoss)},
    "word vectors": {"head": Use(WordVectors)},
    "LDAM": {"head": Use(Cosine), "loss": Use(LDAM)},
    "CB focal": {"loss": Use(Reweighted, loss=Use(SigmoidFocal), rule="effective")},
    "re-sampling": {"sampling": Use(Resample)},
    "pairs": {"sampling": Use(Pairs)},
    "label matrices": {
        "head": Use(LabelDecoder),
        "targets": Use(LabelMatrix),
        "loss": Use(Huber),
    },
}
GOALS = {
    **dict.fromkeys(("LDAM", "CB focal", "re-sampling", "pairs"), BALANCED),
    "label matrices": DECODED,
}

Chunk = Callable[[], object]  # some steps on end


def trial_of(
    net: Use,
    formats: Mapping[str, str],
    steps: int,
    batch_size: int,
    sampling: Use = Use(Shuffle),
    **parts: Use,
) -> Trial:
    """A trial whose epoch has so many steps."""
    source = Use(Noise, images=steps * batch_size)
    recipe = Recipe(
        epochs=1,
        batch_size=batch_size,
        lr=0.01,
        schedule="constant",
        augment=(Use(Crop, padding=4), Use(Flip)),
        sampling=sampling,
        **formats,
    )
    data = DataSpec(source=source, validation=0.0, test=False)
    return Trial(data=data, net=net, recipe=recipe, **parts)


def run_of(trial: Trial, site: Site) -> Run:
    """The trial about to be trained, with nothing on its shelf."""
    return Run(trial, TrialFiles(Folder(site.folder / "nothing")), site)


def ours(trial: Trial, site: Site) -> Chunk:
    """One epoch of the trial."""
    return run_of(trial, site).take_steps


def plain(trial: Trial, site: Site) -> Chunk:
    """The same epoch as it is usually written."""
    # On the CPU the training itself has the cores that a trial gets: workers would take others'.
    workers = min(8, os.cpu_count() or 1) if site.device.type == "cuda" else 0
    run = run_of(trial, site)
    pictures = Pictures(run.data.train.images.cpu(), run.data.train.y.cpu(), Noise)
    loader = DataLoader(
        pictures,
        batch_size=trial.recipe.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=workers > 0,
    )
    model, optimizer = run.method.model, run.method.optimizer

    def epoch() -> float:
        total = 0.0
        model.train()
        for x, y in loader:
            x, y = x.to(site.device, non_blocking=True), y.to(site.device, non_blocking=True)
            loss = F.cross_entropy(model(x).scores, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / len(loader)

    return epoch


def limit(trial: Trial, site: Site, steps: int) -> Chunk:
    """So many steps on one batch that lies ready."""
    run = run_of(trial, site)
    model, optimizer = run.method.model.train(), run.method.optimizer
    last = trial.recipe.memory_format == "channels_last"
    shape = (trial.recipe.batch_size, Noise.channels, Noise.side, Noise.side)
    x = torch.randn(shape, device=site.device)
    x = x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
    y = torch.arange(len(x), device=site.device) % Noise.classes

    def step() -> None:
        loss = F.cross_entropy(model(x).scores, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if site.captures:
        step = recorded(step)

    def chunk() -> None:
        for _ in range(steps):
            step()

    return chunk


def recorded(step: Chunk) -> Chunk:
    """The same step, its rate included, as a CUDA graph."""
    graphs = Graphs()
    for _ in range(WARM_UP):
        with graphs.aside():
            step()
    return graphs.record(step)[1]


def measure(chunks: Mapping[str, Chunk], repeats: int, device: torch.device) -> dict[str, Tensor]:
    """Seconds (repeats,) of each chunk, taken in turn, every second time in reverse."""
    for chunk in chunks.values():
        chunk()
    taken: dict[str, list[float]] = {name: [] for name in chunks}
    for repeat in range(repeats):
        for name in list(chunks)[:: 1 if repeat % 2 == 0 else -1]:
            taken[name].append(seconds(chunks[name], device))
        print(f"repeat {repeat + 1} of {repeats}", file=sys.stderr, flush=True)
    return {name: torch.tensor(times, dtype=torch.float64) for name, times in taken.items()}


def seconds(chunk: Chunk, device: torch.device) -> float:
    """What the chunk takes, the device's work included."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    begun = time.perf_counter()
    chunk()
    wait()
    return time.perf_counter() - begun


def steps_in_chunk(trial: Trial, site: Site) -> int:
    """As many as the limit makes in CHUNK_SECONDS."""
    one = limit(trial, site, 1)
    one()
    return max(1, round(CHUNK_SECONDS / median(seconds(one, site.device) for _ in range(3))))


def loops(
    net: Use, formats: Mapping[str, str], batch_size: int, repeats: int, site: Site
) -> list[Figure]:
    """Prints images/s of the three loops. Returns ours over the others'."""
    steps = steps_in_chunk(trial_of(net, formats, 1, batch_size), site)
    trial = trial_of(net, formats, steps, batch_size)
    chunks = {
        "ours": ours(trial, site),
        "plain": plain(trial_of(net, PLAIN, steps, batch_size), site),
        "limit": limit(trial, site, steps),
    }
    if site.captures:
        chunks["anew"] = ours(trial, replace(site, capture=False))
    taken = measure(chunks, repeats, site.device)
    rates = (f"{n} {steps * batch_size / float(t.median()):,.0f}" for n, t in taken.items())
    print(f"{', '.join(rates)} images/s; {repeats} x {steps} steps each", flush=True)
    small = site.captures and net.part is CifarResNet
    plain_goal = OF_PLAIN_IF_SMALL if small else OF_PLAIN[formats["precision"]]
    own, goals = taken.pop("ours"), {"plain": plain_goal, **OF_OTHERS}
    return [
        Figure(f"ours / {name}", (other / own).tolist(), goals[name])
        for name, other in taken.items()
    ]


def extra(
    net: Use, formats: Mapping[str, str], batch_size: int, repeats: int, site: Site
) -> list[Figure]:
    """Time of a step with other parts over one with cross-entropy."""
    steps = steps_in_chunk(trial_of(net, formats, 1, batch_size), site)
    chunks = {
        name: ours(trial_of(net, formats, steps, batch_size, **some), site)
        for name, some in PARTS.items()
    }
    taken = measure(chunks, repeats, site.device)
    base = taken.pop("cross-entropy")
    return [
        Figure(f"{n} / cross-entropy", (t / base).tolist(), GOALS.get(n, EXTRA), "lower")
        for n, t in taken.items()
    ]


def show(figures: list[Figure]) -> list[Figure]:
    """The same, printed."""
    print(*figures, sep="\n", flush=True)
    return figures


def main(arguments: list[str] | None = None) -> int:
    """Prints all ratios. Returns 1 where one misses its goal."""
    parser = argparse.ArgumentParser(description="Throughput of the training loop.")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: a trial's, 1)")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--batch-size", type=int, default=128)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        site = Site.here(Path(folder), args.threads)
        formats = formats_of(site.device.type)
        here = describe(site)
        print(
            f"{here['device']}, threads: {args.threads}, torch {here['torch']}; ours in "
            f"{formats['precision']}, {formats['memory_format']}; batch {args.batch_size}"
        )
        print("each ratio: median (least .. most), goal")
        figures: list[Figure] = []
        for name, net in NETS.items():
            print(f"\n{name}: ", end="")
            figures += show(loops(net, formats, args.batch_size, args.repeats, site))
        print("\nResNet-32, time of a step")
        figures += show(extra(NETS["ResNet-32"], formats, args.batch_size, args.repeats, site))
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main())
