"""Checksums: what identifies the files that settings name."""

import functools
import hashlib
import os
from pathlib import Path

from trainables.settings.invalid import Invalid


def checksum(path: Path) -> str:
    """What identifies a file (its content) or a folder (its listing: relative paths and sizes)."""
    if path.is_dir():
        folders = os.walk(path, followlinks=True)  # data sets are often built of links
        files = sorted(Path(folder, name) for folder, _, names in folders for name in names)
        lines = (f"{p.relative_to(path).as_posix()} {p.stat().st_size}\n" for p in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
    if not path.is_file():
        raise Invalid(f"{path} is missing: a file or folder is needed there")
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _digest(path: Path, size: int, changed: int) -> str:
    """Of the file's content; read once as long as its size and time of change stay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
