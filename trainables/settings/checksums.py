"""Checksums: what identifies the files that settings name."""

import hashlib
import os
from collections.abc import Sequence
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


def checksum(files: Path | Files) -> str:
    """What identifies a file, its content; or files of a folder, their names and content.

    Neither the place of the file or folder counts, nor what else lies there. Raises Missing where
    there is no file, Invalid where it cannot be read or used.
    """
    if isinstance(files, Files):
        paths = [os.path.join(files.root, name) for name in files.names]
        digest = hashlib.sha256()
        found = digests(paths, str(files.root.absolute()), files.check, files.rules)
        for name, content in zip(files.names, found, strict=True):
            digest.update(os.fsencode(name) + b"\0" + content)
        return digest.hexdigest()[:16]
    with readable(files):
        if files.is_dir():
            raise Invalid(f"{files} is a folder: must be a file")
        if not files.is_file():
            raise Missing(f"{files} is missing: a file is needed there")
    return digests([str(files)], str(files.absolute()))[0].hex()[:16]
