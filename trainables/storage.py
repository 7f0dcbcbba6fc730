"""Storage: where trials live. Everything is written whole or not at all.

trials/<id>/trial.json          the settings
            site.json           where and when it was started last
            checkpoint-000012.pt    after so many steps; the last two are kept
            history.json        metrics of every finished epoch, with timestamps
            result.json         the end: status, history, where it ran
            model.pt, outputs.pt    final weights; final scores and labels
            soft_labels.csv     the targets' matrix in the end; -00010 after that epoch
            epoch-00010.pt      weights of an epoch that the recipe keeps
            log.txt
"""

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch


@dataclass(frozen=True)
class Storage:
    """A folder of trials and studies."""

    root: Path

    def trial(self, trial_id: str) -> "Shelf":
        return Shelf(self.root / "trials" / trial_id)

    def study(self, name: str) -> "Shelf":
        return Shelf(self.root / "studies" / name)

    def results(self) -> Iterator[str]:
        """The ids of the trials with a result."""
        return (path.parent.name for path in (self.root / "trials").glob("*/result.json"))


@dataclass(frozen=True)
class Shelf:
    """One trial's or study's files. A reader sees a file's old content or its new, never a part."""

    path: Path

    def write(self, name: str, content: bytes) -> None:
        """At once or not at all: also after a crash, and with two writers."""
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
        """The content, or None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, pattern: str) -> list[str]:
        """The files whose name matches, in order."""
        return sorted(path.name for path in self.path.glob(pattern))

    def size(self, name: str) -> int:
        """In bytes."""
        return (self.path / name).stat().st_size

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes all files but the log; the result first, so that half a shelf has none."""
        self.remove("result.json")
        for path in self.path.glob("*"):
            if path.name != "log.txt":
                path.unlink(missing_ok=True)

    def write_json(self, name: str, value: Any) -> None:
        self.write(name, json.dumps(value, indent=1).encode())

    def read_json(self, name: str) -> Any:
        """The value, or None where there is no such file."""
        content = self.read(name)
        return None if content is None else json.loads(content)

    def save(self, name: str, state: Any) -> None:
        """Tensors and plain values."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.write(name, buffer.getvalue())

    def load(self, name: str, device: torch.device | str = "cpu") -> Any:
        """What `save` wrote; unpickles tensors and plain values only."""
        return torch.load(self.path / name, map_location=device, weights_only=True)
