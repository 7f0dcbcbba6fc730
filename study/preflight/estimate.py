"""Estimate: what a trial costs, from a few measured steps on random images."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainables.data.data import Batch, share_of
from trainables.data.loader import steps_of
from trainables.data.sources.source import Source
from trainables.heads.linear import Linear
from trainables.losses.cross_entropy import CrossEntropy
from trainables.methods.method import Method
from trainables.model import fresh
from trainables.seeding import generator
from trainables.settings import Invalid, Use
from trainables.targets.one_hot import OneHot
from trainables.task import Task
from trainables.training.captured import WARM_UP, Captured, uncaptured
from trainables.training.recorder import recorder_of
from trainables.training.site import Site
from trainables.training.tasks import task_for
from trainables.trial import Trial

PIXELS = 2**19  # of a measured batch: larger batches are scaled up from a smaller one
STEPS = 3


@dataclass(frozen=True)
class Cost:
    """Of one trial on this machine's device."""

    seconds: float
    mebibytes: float  # weights and optimizer, what a step holds for the backward pass, the images


def cost(trial: Trial, site: Site) -> Cost:
    """Measured on random images, so that it needs no data; scaled to the trial's length.

    Where files are missing, with random weights and one-hot targets instead.
    """
    torch.set_num_threads(site.threads)
    try:
        method = _method(trial, site)
    except Invalid:
        method = _method(_without_files(trial), site)
    task = task_without_data(trial, site)
    size = max(2, min(trial.recipe.batch_size, len(task.y), PIXELS // task.side**2))
    batch = _random_batch(task, size, method.views)
    if method.meta:
        batch = replace(batch, meta=_random_batch(task, size, views=1))
    held = (method.views + method.meta) * _bytes_held(method, batch)
    steps = Captured(method, size, site.device, recorder_of(site, uncaptured(trial)))
    first = WARM_UP + 2 if site.captures else 1  # which records and compares
    step = _fastest(lambda: steps.update(batch, trial.recipe.lr), site, first)
    steps.rest()
    method.eval()
    with torch.no_grad():
        look = _fastest(lambda: method.predict(batch.x), site, 1)
    source: Source = trial.data.source.build()
    held_out = source.images - len(task.y) if trial.data.validation else 0
    shown = held_out + (source.test_images if trial.data.test else 0)
    seconds = trial.recipe.epochs * (step * len(task.y) + look * shown) / size
    weights = 3 * sum(p.numel() * p.element_size() for p in method.parameters())
    images = source.images * task.channels * source.side**2
    activations = held * min(trial.recipe.batch_size, len(task.y)) / size
    return Cost(seconds, (weights + activations + images) / 2**20)


def places(cpus: int, cpus_per_trial: float, gpus: int, gpus_per_trial: float) -> int:
    """How many trials a machine has room for. What is left of two GPUs does not make a third."""
    fit = int(cpus / cpus_per_trial)
    if gpus and gpus_per_trial < 1:
        fit = min(fit, gpus * int(1 / gpus_per_trial))
    elif gpus:
        fit = min(fit, int(gpus / gpus_per_trial))
    return max(1, fit)


def against_share(
    fraction: float, gpu_mebibytes: float, estimated: float, measured: Sequence[float]
) -> list[str]:
    """In lines: the memory of trials, and the share of a GPU's that the fraction leaves to each.

    `estimated` is of the largest trial to be trained, 0 without any; `measured` are peaks of
    finished ones.
    """
    known = {f"{estimated:,.0f} MiB estimated": estimated} if estimated else {}
    if measured:
        most = max(measured)
        known[f"{most:,.0f} MiB measured (most of {len(measured)} finished)"] = most
    if not known:
        return []
    share = min(1.0, fraction) * gpu_mebibytes
    option = f"--gpus-per-trial {fraction:g}"
    lines = [f"memory: {', '.join(known)}; {option} is {share:,.0f} MiB of this machine's GPU"]
    if above := [words for words, mebibytes in known.items() if mebibytes > share]:
        lines.append(
            f"warning: {', '.join(above)} is above the {share:,.0f} MiB of {option}, "
            "which limits no memory: trials may run out of it"
        )
    return lines


def _method(trial: Trial, site: Site) -> Method:
    task = task_without_data(trial, site)
    method: Method = trial.method.build(fresh(task), task)
    return method


def _without_files(trial: Trial) -> Trial:
    net = trial.net.but(weights="none") if "weights" in dict(trial.net.items) else trial.net
    inside = (value for _, value, _ in trial.head.settings() if isinstance(value, Use))
    needs = any(hasattr(use.part, "files") for use in inside)
    head = Use(Linear) if needs else trial.head
    return trial.but(net=net, head=head, targets=Use(OneHot), loss=Use(CrossEntropy))


def task_without_data(trial: Trial, site: Site) -> Task:
    """The trial's task with made-up labels, and made-up names where the data set is missing."""
    source: Source = trial.data.source.build()
    names = _names(source, site)
    y = _labels(trial, source, names)
    return task_for(
        trial,
        names,
        y.to(site.device),
        channels=source.channels,
        side=source.side,
        steps=steps_of(len(y), trial.recipe.batch_size),
        folder=site.folder,
        device=site.device,
    )


def _labels(trial: Trial, source: Source, names: tuple[str, ...]) -> Tensor:
    """(n,) on the CPU; as if the classes of the data set itself had equally many images."""
    taken = source.classes * trial.data.taken_per_class
    images = round(source.images * (1 - trial.data.validation)) - taken
    per_class = trial.data.train_per_class
    if trial.data.train_share:
        per_class = share_of(source.images // source.classes, trial.data.train_share)
    if trial.data.imbalance is not None:
        most = min(per_class or images, images // source.classes)
        sizes = trial.data.imbalance.build()(most, names, generator(trial.seed, "imbalance"))
        return torch.arange(source.classes).repeat_interleave(torch.tensor(sizes))
    if per_class is not None:
        images = min(images, per_class * source.classes)
    return torch.arange(images) % source.classes


def _names(source: Source, site: Site) -> tuple[str, ...]:
    try:
        return source.names(site.folder)
    except Invalid:
        return tuple(f"class {i}" for i in range(source.classes))


def _random_batch(task: Task, size: int, views: int) -> Batch:
    index = torch.arange(size, device=task.device)
    shape = (views, size, task.channels, task.side, task.side)
    x, *other = torch.randn(shape, device=task.device)
    return Batch(x, task.y[index], index, *other)


def _bytes_held(method: Method, batch: Batch) -> int:
    """What the forward pass keeps for the backward pass, each tensor's memory counted once."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        kept[memory.data_ptr()] = memory.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = method.model.objective(batch, method.model(batch.x)).mean()
    total = sum(kept.values())
    del loss
    return total


def _fastest(step: Callable[[], object], site: Site, warm_up: int) -> float:
    """Seconds, the least of a few, after so many others."""
    taken = []
    for _ in range(warm_up + STEPS):
        begun = time.perf_counter()
        step()
        if site.device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return min(taken[warm_up:])
