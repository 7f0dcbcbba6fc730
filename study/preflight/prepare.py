"""Prepare: everything that can be wrong is found before the first trial starts."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.overrides import TorchFunctionMode

from study.preflight.estimate import task_without_data
from trainables.data.cache import Cache
from trainables.data.data import check_spec
from trainables.data.sources import cached
from trainables.data.sources.image_files import ImageFiles
from trainables.data.sources.source import Source, names_of
from trainables.data.spec import DataSpec
from trainables.model import fresh
from trainables.settings import Invalid, Missing, Setting, Use, map_settings
from trainables.storage.storage import Storage
from trainables.task import Task
from trainables.training.site import Site
from trainables.trial import Trial
from trainables.worker.files import fetch
from trainables.worker.node import check_space

# What a command has looked at: each Use with its data set, and the same with its checksums.
Known = dict[tuple[Use, Use], Use]
Case = tuple[DataSpec, int, int, Use]  # a part, with the batches and epochs that it is built for


def ready(
    trial: Trial, folder: Path, formats: dict[str, str], known: Known | None = None
) -> tuple[Trial, str]:
    """The trial with its files under `folder` fetched where need be and checksummed, and its id.

    What is `known` is not looked at again; what is looked at is added. Raises Invalid where a file
    is missing and cannot be fetched, or cannot be used.
    """
    seen = {} if known is None else known
    trial = counted(trial, folder)
    source = trial.data.source
    names = partial(names_of, source, folder)

    for use in trial.uses():
        if (use, source) not in seen and hasattr(use.part, "fetch"):
            fetch(use, folder)

    def look(setting: Setting) -> Setting:
        if not isinstance(setting, Use):
            return setting
        key = setting, source
        if key not in seen:
            if issubclass(setting.part, Source) and hasattr(setting.part, "files"):
                setting.build().verify(folder)  # too few images are found before they are read
            seen[key] = setting.resolved(folder, names)
        return seen[key]

    resolved: Trial = map_settings(trial.with_formats(formats), look)
    return resolved, resolved.id


def counted(trial: Trial, folder: Path) -> Trial:
    """The trial with the numbers of its data set that are not given as they are under `folder`.

    Raises Missing or Invalid where they cannot be counted.
    """
    source = trial.data.source
    known = source.part.counted(source, folder)
    return trial if known == source else trial.but(data=trial.data.but(source=known))


def measured(measure: Use, folder: Path) -> Use:
    """The measure with its files under `folder` checked and checksummed.

    Raises Invalid where a file is missing or not what it should be.
    """
    resolved = measure.resolved(folder)
    measure.part.verify(folder, **dict(measure.items))
    return resolved


def missing(
    trial: Trial, folder: Path, known: dict[tuple[Use, Use], str | None] | None = None
) -> list[str]:
    """What the trial lacks under `folder`, a line each: data sets, weights, hierarchies.

    What is `known` is not looked at again; what is looked at is added, with its line. Raises
    Invalid for a file that is there and cannot be used.
    """
    seen = {} if known is None else known
    source = trial.data.source
    names = partial(names_of, source, folder)
    for use in trial.uses():
        if (use, source) not in seen:
            try:
                fetch(use, folder)
                use.resolved(folder, names)
                seen[use, source] = None
            except Missing as error:
                seen[use, source] = str(error)
    lines = (seen[use, source] for use in trial.uses())
    return list(dict.fromkeys(line for line in lines if line))


def remarks(trials: Iterable[Trial], folder: Path, cache: Cache | None) -> list[str]:
    """In lines, what a user should know of how their data sets are read, as far as they are there.

    Raises Invalid for a data set, or a cache of its images, that cannot be used.
    """
    lines = []
    for use in dict.fromkeys(trial.data.source for trial in trials):
        source: Source = use.build()
        with suppress(Missing):
            lines += source.remarks(folder)
            if cache and isinstance(source, ImageFiles):
                lines += cached.remarks(source.decoded(folder), cache)
    return lines


def check_parts(trials: Iterable[Trial], folder: Path, known: set[Case] | None = None) -> None:
    """Verifies every data set and builds every part once. Raises Invalid for the first bad one.

    Parts that are `known` are not built again; those that are built are added.
    """
    site = Site(folder, torch.device("cpu"))
    trials = list(trials)
    for source in {trial.data.source for trial in trials}:
        fetch(source, folder)
    for data in {trial.data for trial in trials}:
        check_spec(data, folder)
    seen = set() if known is None else known
    for trial in trials:
        length = trial.data, trial.recipe.batch_size, trial.recipe.epochs  # of its training
        for part in (trial.net, trial.head, trial.targets, trial.loss, trial.method):
            case = (*length, part)
            if case not in seen:
                task = task_without_data(trial, site)
                with _fitting(part):
                    if part is trial.net:
                        _check_memory(part, task)
                    if part is trial.head:
                        fresh(task)
                    else:
                        part.build(*([fresh(task)] if part is trial.method else []), task)
                seen.add(case)


def _check_memory(net: Use, task: Task) -> None:
    """Raises Invalid where its weights are too large for this machine, which would end the command.

    They are counted on torch's meta device, where they take no memory.
    """
    bare = net.but(weights="none") if "weights" in dict(net.items) else net  # reads no file
    with torch.device("meta"), _Unfilled():
        weights = list(bare.build(task).parameters())
    gibibytes = sum(p.numel() * p.element_size() for p in weights) / 2**30
    free = psutil.virtual_memory().available / 2**30
    if gibibytes > free:
        valid = f"a net for the {free:,.1f} GiB of memory that are free here"
        raise Invalid(f"{net!r}: must be {valid}; its weights take {gibibytes:,.1f}")


class _Unfilled(TorchFunctionMode):
    """Draws no weights, which on the meta device imports torch's compiler: two seconds."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return args[0] if func is torch.Tensor.normal_ else func(*args, **(kwargs or {}))


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

    So where a newer version has written it. Without `writes` nothing is left there, not even a new
    folder.
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
    storage.check_layout()
    if root:
        try:
            check_space(root)
        except Invalid as error:
            raise Invalid(f"--storage = {error}") from None
