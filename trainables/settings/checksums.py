"""Checksums: what identifies the files that settings name."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.settings.digests import Check, digests
from trainables.settings.invalid import Invalid, Missing, readable


@dataclass(frozen=True)
class Files:
    """What is read of a folder: the files `names` below `root`, always in the same order.

    `check(file, path)` raises Invalid for content that cannot be used. `rules` names what it
    demands: a file that has passed is given to it again when they change.
    """

    root: Path
    names: Sequence[str]
    check: Check | None = None
    rules: str = ""

    def __str__(self) -> str:
        return str(self.root)


@dataclass(frozen=True)
class Rows:
    """What is read of a file by the names of the classes: `read(names)` gives it as bytes."""

    path: Path
    read: Callable[[Sequence[str]], bytes]

    def __str__(self) -> str:
        return str(self.path)


Read = Path | Files | Rows  # what of the file system a setting names
Names = Callable[[], Sequence[str]]  # of the classes, which only their data set knows


def checksum(files: Read, names: Names = tuple) -> str:
    """What identifies a file: its content, or of Rows what is read; or files of a folder.

    Of these their names and content count. Never the place of the file or folder, nor what else
    lies there. Raises Missing where there is no file, Invalid where it cannot be read or used.
    """
    if isinstance(files, Rows):
        require_file(files.path)
        return hashlib.sha256(files.read(names())).hexdigest()[:16]
    if isinstance(files, Files):
        paths = [os.path.join(files.root, name) for name in files.names]
        digest = hashlib.sha256()
        found = digests(paths, str(files.root.absolute()), files.check, files.rules)
        for name, content in zip(files.names, found, strict=True):
            digest.update(os.fsencode(name) + b"\0" + content)
        return digest.hexdigest()[:16]
    require_file(files)
    return digests([str(files)], str(files.absolute()))[0].hex()[:16]


def require_file(path: Path) -> None:
    """Raises Missing where there is no file, Invalid for a folder or what cannot be read."""
    with readable(path):
        if path.is_dir():
            raise Invalid(f"{path} is a folder: must be a file")
        if not path.is_file():
            raise Missing(f"{path} is missing: a file is needed there")
