"""Shelf: the files of one trial or study."""

import io
import json
from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4


@dataclass(frozen=True)
class Version:
    """What a name holds at one moment: `tag` tells it from all other contents."""

    content: bytes
    tag: bytes | str
    age: float  # seconds since it was written, by the clock of the storage


class Shelf(ABC):
    """One trial's or study's files. A reader sees a file's old content or its new, never a part.

    Raises OSError where the storage cannot be reached, read or written.
    """

    path: Path | None  # where it is a folder

    @abstractmethod
    def __truediv__(self, name: str) -> "Shelf": ...

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """At once or not at all: also after a crash, and with two writers."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The content, or None where there is none."""

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """The files whose name matches, in order. "*" matches no slash."""

    @abstractmethod
    def size(self, name: str) -> int:
        """In bytes; 0 where there is no such file."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Whether it is there or not."""

    @abstractmethod
    def discard(self, name: str) -> None:
        """Removes a swapped name with what is kept for swaps; nobody may write it again."""

    @abstractmethod
    def modified(self, name: str) -> float | None:
        """When it was written, in seconds since 1970; None where there is no such file."""

    @abstractmethod
    def version(self, name: str) -> Version | None: ...

    @abstractmethod
    def swap(self, name: str, content: bytes, old: bytes | str | None) -> bytes | str | None:
        """Writes if what is there has the tag `old` (None: if nothing is). Returns the new tag.

        None where something else is there. Of many who try at once, one succeeds.
        """

    @abstractmethod
    def log(self, name: str) -> TextIO:
        """A text file to append to: on S3 it is put as a whole at each flush, so each epoch."""

    @abstractmethod
    def _source(self, name: str) -> Path | io.BytesIO:
        """What torch reads the file from. Raises FileNotFoundError where there is none."""

    def probe(self) -> None:
        """Writes a file, reads and removes it. Raises OSError, within seconds, if that fails."""
        name = f"probe-{uuid4().hex}"
        self.write(name, b"probe")
        if self.read(name) != b"probe":
            raise OSError(f"{self}: what was written cannot be read")
        self.remove(name)

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, _by_lines(value).encode())

    def read_json(self, name: str) -> Any:
        """The value, or None where there is no such file."""
        content = self.read(name)
        return None if content is None else json.loads(content)

    def save(self, name: str, state: Any) -> None:
        """Tensors and plain values."""
        import torch  # here, since most commands read no tensor, and torch takes seconds to import

        buffer = io.BytesIO()
        torch.save(_owned(state), buffer)
        self.write(name, buffer.getvalue())

    def load(self, name: str, device: Any = "cpu") -> Any:
        """What `save` wrote, on the device; unpickles tensors and plain values only."""
        import torch

        return torch.load(self._source(name), map_location=device, weights_only=True)


def _by_lines(value: Any) -> str:
    """JSON with a line for each entry, an epoch of a history: json's indentation is slower."""
    if isinstance(value, dict):
        lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()]
        return "\n".join(["{", ",\n".join(lines), "}"])
    if isinstance(value, list):
        return "\n".join(["[", ",\n".join(map(json.dumps, value)), "]"])
    return json.dumps(value)


def _owned(state: Any) -> Any:
    """The same, with copies of tensors that are views: torch would write all that they view."""
    import torch

    if isinstance(state, torch.Tensor):
        return state.clone() if state.untyped_storage().nbytes() > state.nbytes else state
    if isinstance(state, dict):
        owned = copy(state)  # a module's has an attribute besides
        owned.update({name: _owned(value) for name, value in state.items()})
        return owned
    return state
