"""Cleaning: what finished trials leave behind and nobody needs any more."""

import re
from collections.abc import Iterator

from trainables.recipe import kept_epochs
from trainables.settings import Invalid
from trainables.storage import names
from trainables.storage.claims import Command, of_trial
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")  # a file that a killed worker was writing


def clean(
    storage: Storage, only_tell: bool = False, command: Command | None = None
) -> tuple[int, int]:
    """Removes checkpoints, temporary files, and weights of epochs that no recipe keeps.

    Of trials with a result only, and never the result, what was trained, its outputs or its log.
    Returns how many files and bytes these are; with `only_tell` they stay. Each trial is claimed
    for the `command`. Raises Invalid, before anything is removed, where another one holds one.
    """
    count = size = 0
    found = {i: files for i in storage.results() if any(_needless(files := storage.trial(i)))}
    for trial_id in found if command else ():
        assert command
        if other := command.claim(of_trial(trial_id)):
            raise Invalid(f"--clean: trial {trial_id} is held by {other}: wait for it")
    for files in found.values():
        shelf = files.shelf
        for name in _needless(files):
            count, size = count + 1, size + shelf.size(name)
            if not only_tell:
                shelf.remove(name)
    return count, size


def _needless(files: TrialFiles) -> Iterator[str]:
    settings = files.settings()
    if settings is None or not files.final_result():
        return
    yield from files.checkpoints()
    yield from (name for name in files.shelf.names(".*") if TEMPORARY.fullmatch(name))
    epochs, keep = (int(str(settings[f"recipe.{name}"])) for name in ("epochs", "keep"))
    kept = kept_epochs(epochs, keep)
    yield from set(files.shelf.names(names.EPOCHS)) - {names.epoch_weights(e) for e in kept}
