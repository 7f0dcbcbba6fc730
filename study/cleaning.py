"""Cleaning: what finished trials leave behind and nobody needs any more."""

import re
from collections.abc import Iterator

from trainables.storage.result import final
from trainables.storage.shelf import Shelf
from trainables.storage.storage import Storage
from trainables.training.run import kept_epochs

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")  # a file that a killed worker was writing


def clean(storage: Storage, only_tell: bool = False) -> tuple[int, int]:
    """Removes checkpoints, temporary files, and weights of epochs that no recipe keeps.

    Of trials with a result only, and never the result, what was trained, its outputs or its log.
    Returns how many files and bytes these are; with `only_tell` they stay.
    """
    files = size = 0
    for trial_id in list(storage.results()):
        shelf = storage.trial(trial_id)
        for name in _needless(shelf):
            files, size = files + 1, size + shelf.size(name)
            if not only_tell:
                shelf.remove(name)
    return files, size


def _needless(shelf: Shelf) -> Iterator[str]:
    if not final(shelf.read_json("result.json")):
        return
    yield from shelf.names("checkpoint-*.pt")
    yield from (name for name in shelf.names(".*") if TEMPORARY.fullmatch(name))
    settings = shelf.read_json("trial.json")
    kept = kept_epochs(settings["recipe.epochs"], settings["recipe.keep"])
    yield from set(shelf.names("epoch-*.pt")) - {f"epoch-{epoch:05d}.pt" for epoch in kept}
