"""Prepare: everything that can be wrong is found before the first trial starts."""

import functools
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from study.preflight.estimate import task_without_data
from trainables.model import fresh
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.task import Task
from trainables.training.site import Site
from trainables.trial import Trial
from trainables.worker.files import fetch
from trainables.worker.node import check_space


def ready(trial: Trial, folder: Path, formats: dict[str, str]) -> tuple[Trial, str]:
    """The trial with its files under `folder` fetched where need be and checksummed, and its id.

    Raises Invalid where a file is missing and cannot be fetched.
    """
    for use in trial.uses():
        if hasattr(use.part, "fetch"):
            fetch(use, folder)
    resolved = trial.resolved(folder, formats)
    return resolved, resolved.id


def measured(measure: Use, folder: Path) -> Use:
    """The measure with its files under `folder` checked and checksummed.

    Raises Invalid where a file is missing or not what it should be.
    """
    resolved = measure.resolved(folder)
    measure.part.verify(folder, **dict(measure.items))
    return resolved


@functools.cache
def missing(trial: Trial, folder: Path) -> list[str]:
    """What the trial lacks under `folder`, a line each: data sets, weights, hierarchies."""
    lines = []
    for use in trial.uses():
        try:
            fetch(use, folder)
            use.resolved(folder)
        except Invalid as error:
            lines.append(str(error))
    return lines


def check_parts(trials: Iterable[Trial], folder: Path) -> None:
    """Verifies every data set and builds every part once. Raises Invalid for the first bad one."""
    site = Site(folder, torch.device("cpu"))
    trials = list(trials)
    for source in {trial.data.source for trial in trials}:
        fetch(source, folder)
    seen = set()
    for trial in trials:
        length = trial.data, trial.recipe.batch_size, trial.recipe.epochs  # of its training
        for part in (trial.net, trial.targets, trial.loss, trial.method):
            case = (*length, part)
            if case not in seen:
                seen.add(case)
                task = task_without_data(trial, site)
                with _fitting(part):
                    if part is trial.net:
                        _check_memory(part, task)
                    part.build(*([fresh(task)] if part is trial.method else []), task)


def _check_memory(net: Use, task: Task) -> None:
    """Raises Invalid where its weights are too large for this machine, which would end the command.

    They are counted on torch's meta device, where they take no memory.
    """
    bare = net.but(weights="none") if "weights" in dict(net.items) else net  # reads no file
    with torch.device("meta"):
        weights = list(bare.build(task).parameters())
    gibibytes = sum(p.numel() * p.element_size() for p in weights) / 2**30
    free = psutil.virtual_memory().available / 2**30
    if gibibytes > free:
        valid = f"a net for the {free:,.1f} GiB of memory that are free here"
        raise Invalid(f"{net!r}: must be {valid}; its weights take {gibibytes:,.1f}")


@contextmanager
def _fitting(part: Use) -> Iterator[None]:
    """Raises Invalid where the part is too large to be built in here."""
    try:
        yield
    except (RuntimeError, MemoryError, OverflowError, TypeError) as error:
        if isinstance(error, TypeError) and "Overflow" not in str(error):  # torch's, of a length
            raise
        why = (str(error) or "out of memory").splitlines()[0]
        raise Invalid(f"{part!r}: must be a part that this machine can build ({why})") from None


def check_storage(storage: Storage, writes: bool = True) -> None:
    """Raises Invalid, within seconds, where it cannot be written or has no space.

    Without `writes` nothing is left there, not even a new folder.
    """
    root = storage.root
    try:
        if writes:
            storage.top.probe()
        elif root:
            root = next(path for path in (root, *root.parents) if path.exists())
            with tempfile.TemporaryFile(dir=root):  # a file without a name
                pass
        else:
            storage.top.names("storage.json")
    except OSError as error:
        valid = "a folder to write in" if root else "a bucket to write in"
        why = error.strerror or error
        raise Invalid(f"--storage = {storage}: must be {valid} ({why})") from None
    if root:
        try:
            check_space(root)
        except Invalid as error:
            raise Invalid(f"--storage = {error}") from None
