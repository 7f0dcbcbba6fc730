"""TrialFiles: what a storage has of one trial, by what it means."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from trainables.selection import Epoch
from trainables.settings import Scalar
from trainables.storage import names
from trainables.storage.result import Result
from trainables.storage.shelf import Shelf


@dataclass(frozen=True)
class TrialFiles:
    """The files of one trial. All methods raise OSError where the storage cannot be used."""

    shelf: Shelf

    def result(self) -> Result | None:
        """None while there is none."""
        values = self.shelf.read_json(names.RESULT)
        return None if values is None else Result.from_json(values)

    def final_result(self) -> Result | None:
        """None while the trial is to be trained, or to be tried once more."""
        result = self.result()
        return result if result and result.final else None

    def end(self, result: Result) -> None:
        self.shelf.write_json(names.RESULT, result.to_json())

    def settings(self) -> dict[str, Scalar] | None:
        """As `Trial.flat()`; None where nobody has begun the trial."""
        settings: dict[str, Scalar] | None = self.shelf.read_json(names.SETTINGS)
        return settings

    def write_settings(self, settings: dict[str, Scalar]) -> None:
        self.shelf.write_json(names.SETTINGS, settings)

    def site(self) -> dict[str, Any]:
        """Where and when the trial was started last; empty where it never was."""
        site: dict[str, Any] = self.shelf.read_json(names.SITE) or {}
        return site

    def write_site(self, site: dict[str, Any]) -> None:
        self.shelf.write_json(names.SITE, site)

    def history(self) -> list[Epoch]:
        """The epochs that are finished so far."""
        history: list[Epoch] = self.shelf.read_json(names.HISTORY) or []
        return history

    def write_history(self, history: list[Epoch]) -> None:
        self.shelf.write_json(names.HISTORY, history)

    def checkpoints(self) -> list[str]:
        """The names of the checkpoints, the oldest first."""
        return self.shelf.names(names.CHECKPOINTS)

    def save_checkpoint(self, step: int, state: dict[str, Any], keep: int) -> None:
        """The state after so many steps; of all checkpoints the newest `keep` stay."""
        self.shelf.save(names.checkpoint(step), state)
        for name in self.checkpoints()[:-keep]:
            self.shelf.remove(name)

    def remove_checkpoints(self) -> None:
        for name in self.checkpoints():
            self.shelf.remove(name)

    def save_model(self, state: dict[str, Any], epoch: int | None = None) -> None:
        """The model's state at the end, or after an epoch that the recipe keeps."""
        self.shelf.save(self._model(epoch), state)

    def model(self, device: Any, epoch: int | None = None) -> dict[str, Any]:
        """What `save_model` wrote."""
        state: dict[str, Any] = self.shelf.load(self._model(epoch), device)
        return state

    def save_outputs(self, outputs: dict[str, Any]) -> None:
        self.shelf.save(names.OUTPUTS, outputs)

    def outputs(self) -> dict[str, Any]:
        """Tensors on the CPU: the final "test.scores" (n, classes), "test.y" (n,), and so on."""
        outputs: dict[str, Any] = self.shelf.load(names.OUTPUTS)
        return outputs

    def write_soft_labels(self, table: str, epoch: int | None = None) -> None:
        """The targets' matrix at the end, or after an epoch."""
        name = names.SOFT_LABELS if epoch is None else names.soft_labels(epoch)
        self.shelf.write(name, table.encode())

    def write_of_method(self, name: str, table: str, epoch: int | None = None) -> None:
        """What the method tells of itself at the end, or after an epoch."""
        self.shelf.write(names.of_method(name, epoch), table.encode())

    def write_wrong_labels(self, table: str) -> None:
        self.shelf.write(names.WRONG_LABELS, table.encode())

    def write_class_counts(self, table: str) -> None:
        self.shelf.write(names.CLASS_COUNTS, table.encode())

    def tables(self) -> Iterator[tuple[str, str]]:
        """(name, text) of what the trial has as comma-separated values."""
        several = (names.ALL_SOFT_LABELS, names.ALL_OF_METHOD)
        found = [name for pattern in several for name in self.shelf.names(pattern)]
        for name in (*found, names.WRONG_LABELS, names.CLASS_COUNTS):
            content = self.shelf.read(name)
            if content is not None:
                yield name, content.decode()

    def measure(self, label: str) -> dict[str, Any] | None:
        """The measure with that label; None while it is not computed."""
        stored: dict[str, Any] | None = self.shelf.read_json(names.measure(label))
        return stored

    def write_measure(self, label: str, stored: dict[str, Any]) -> None:
        self.shelf.write_json(names.measure(label), stored)

    def forget_measure(self, label: str) -> None:
        self.shelf.remove(names.measure(label))

    def features(self, label: str) -> str | None:
        """Comma-separated values that the measure with that label kept; None if it kept none."""
        content = self.shelf.read(names.features(label))
        return None if content is None else content.decode()

    def write_features(self, label: str, table: str) -> None:
        self.shelf.write(names.features(label), table.encode())

    def log(self) -> TextIO:
        """What the trial prints, to append to."""
        return self.shelf.log(names.LOG)

    def log_lines(self) -> list[str]:
        """What the trial has printed, with the ends of the lines."""
        content = self.shelf.read(names.LOG) or b""
        return content.decode(errors="replace").splitlines(keepends=True)

    def clear(self) -> None:
        """Removes all files but the log; the result first, so that half a trial has none."""
        self.shelf.remove(names.RESULT)
        for name in self.shelf.names("*"):
            if name != names.LOG:
                self.shelf.remove(name)

    @staticmethod
    def _model(epoch: int | None) -> str:
        return names.MODEL if epoch is None else names.epoch_weights(epoch)
