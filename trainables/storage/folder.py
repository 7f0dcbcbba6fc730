"""Folder: a shelf on a disk."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from trainables.storage.shelf import Shelf, Version


@dataclass(frozen=True)
class Folder(Shelf):
    """Files of a folder, written under a temporary name, synchronised with the disk, renamed."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def __truediv__(self, name: str) -> "Folder":
        return Folder(self.path / name)

    def write(self, name: str, content: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f".{name}.{uuid4().hex}"
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, pattern: str) -> list[str]:
        return sorted(p.relative_to(self.path).as_posix() for p in self.path.glob(pattern))

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def discard(self, name: str) -> None:
        self.remove(name)
        self.remove(f".{name}.lock")

    def size(self, name: str) -> int:
        try:
            return (self.path / name).stat().st_size
        except FileNotFoundError:
            return 0

    def modified(self, name: str) -> float | None:
        try:
            return (self.path / name).stat().st_mtime
        except FileNotFoundError:
            return None

    def version(self, name: str) -> Version | None:
        clock = self.path / f".{name}.lock"
        try:
            with (self.path / name).open("rb") as file:  # opened: NFS then asks for its state anew
                content, written = file.read(), os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        with clock.open("a") as told:  # it may be discarded meanwhile
            os.utime(told.fileno())
            return Version(content, content, os.fstat(told.fileno()).st_mtime - written)

    def swap(self, name: str, content: bytes, old: bytes | str | None) -> bytes | None:
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / f".{name}.lock").open("a") as guard:  # stays: who removed it would
            fcntl.flock(guard, fcntl.LOCK_EX)  # lock a file that others no longer see
            if self.read(name) != old:
                return None
            self.write(name, content)
            return content

    def log(self, name: str) -> TextIO:
        self.path.mkdir(parents=True, exist_ok=True)
        return (self.path / name).open(
            "a", buffering=1, encoding="utf-8", errors="backslashreplace"
        )

    def _source(self, name: str) -> Path:
        return self.path / name
