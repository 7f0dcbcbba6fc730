"""Files: what a trial needs is fetched and verified on each machine."""

import functools
import hashlib
import os
import tempfile
from pathlib import Path

from filelock import FileLock

from trainables.data.sources.source import Source, names_of
from trainables.settings import Invalid, Use
from trainables.trial import Trial


def fetch_all(trial: Trial, folder: Path) -> None:
    """Fetches what the trial lacks. Raises Invalid for a file that is missing or not the driver's.

    What it has found right it does not look at again in this process.
    """
    for one in (trial, *trial.teachers()):
        for use in one.uses():
            _check_files(use, use.checksums, one.data.source, folder)


@functools.cache
def _check_files(
    use: Use, checksums: tuple[tuple[str, str], ...] | None, source: Use, folder: Path
) -> None:
    fetch(use, folder)
    names = functools.partial(names_of, source, folder)
    found = dict(use.resolved(folder, names).checksums or ()) if checksums else {}
    for name, right in checksums or ():
        if found[name] != right:
            path = use.files(folder)[name]
            raise Invalid(f"{path} has checksum {found[name]}: must be {right}, as on the driver")


def fetch(use: Use, folder: Path) -> None:
    """Fetches what is missing of its files, one process of the machine at a time.

    Raises Invalid where a file is missing or corrupt.
    """
    if not (issubclass(use.part, Source) or hasattr(use.part, "fetch")):
        return
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    # Not in the folder, which may be read-only, or shared by nodes over a network.
    lock = Path(tempfile.gettempdir()) / f"label-studies-{os.getuid()}-{name}.lock"
    with FileLock(lock):
        if issubclass(use.part, Source):
            use.build().verify(folder)
        if hasattr(use.part, "fetch"):
            use.part.fetch(folder, **dict(use.items))
