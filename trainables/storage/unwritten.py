"""Unwritten: files that are read alone; what is written to them is dropped."""

import io
import os
from pathlib import Path
from typing import TextIO

from trainables.storage.shelf import Shelf, Version
from trainables.storage.storage import Storage


class Unwritten(Shelf):
    """Another shelf, for a worker that does what the one that writes does, beside it."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf, self.path = shelf, shelf.path

    def __truediv__(self, name: str) -> Shelf:
        return Unwritten(self._shelf / name)

    def __str__(self) -> str:
        return str(self._shelf)

    def write(self, name: str, content: bytes) -> None:
        """Dropped."""

    def read(self, name: str) -> bytes | None:
        return self._shelf.read(name)

    def names(self, pattern: str) -> list[str]:
        return self._shelf.names(pattern)

    def size(self, name: str) -> int:
        return self._shelf.size(name)

    def remove(self, name: str) -> None:
        """Nothing is removed."""

    def discard(self, name: str) -> None:
        """Nothing is removed."""

    def modified(self, name: str) -> float | None:
        return self._shelf.modified(name)

    def version(self, name: str) -> Version | None:
        return self._shelf.version(name)

    def swap(self, name: str, content: bytes, old: bytes | str | None) -> bytes | str | None:
        """Loses against whoever writes."""
        return None

    def log(self, name: str) -> TextIO:
        return open(os.devnull, "a")

    def _source(self, name: str) -> Path | io.BytesIO:
        return self._shelf._source(name)


def unwritten(storage: Storage) -> Storage:
    """The same storage, in which nothing that is written arrives."""
    reader = Storage(storage.root or str(storage))
    reader.top = Unwritten(storage.top)
    return reader
