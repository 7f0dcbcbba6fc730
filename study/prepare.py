"""Prepare: everything that can be wrong is found before the first trial starts."""

import functools
from collections.abc import Iterable
from pathlib import Path

import torch

from study.estimate import task_without_data
from trainables.node import check_space, fetch
from trainables.settings import Invalid, Use
from trainables.storage import Storage
from trainables.train import Site
from trainables.trial import Trial


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
                part.build(*([task.model()] if part is trial.method else []), task)


def check_storage(storage: Storage) -> None:
    """Raises Invalid, within seconds, where it cannot be written or has no space."""
    try:
        storage.top.probe()
    except OSError as error:
        valid = "a folder to write in" if storage.root else "a bucket to write in"
        why = error.strerror or error
        raise Invalid(f"--storage = {storage}: must be {valid} ({why})") from None
    if storage.root:
        try:
            check_space(storage.root)
        except Invalid as error:
            raise Invalid(f"--storage = {error}") from None
