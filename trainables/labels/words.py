"""Words: a vector for each class, by the class's name (`word_embedding`, section 2.2)."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.settings import Interval, Invalid, Weight

EMBEDDED = Path(__file__).parent / "embedded" / "glove.6B.100d.npz"
EMBEDDED_SIZE = 100

Combine = Literal["mean", "sum", "first", "weights"]


@dataclass(frozen=True)
class Table:
    """Vectors (words, size), float32, with the place of each word."""

    places: Mapping[str, int]
    vectors: NDArray[np.float32]
    source: str  # for messages: where it is from

    def words(self, name: str) -> list[str]:
        """The entries that a class name stands for.

        That is the name as it is, else in lower case, else each of its pieces in the same way.
        Raises Invalid, with the nearest entries, for a piece that is not there.
        """
        if (whole := self._entry(name)) is not None:
            return [whole]
        found = {piece: self._entry(piece) for piece in pieces(name)}
        for piece, entry in found.items():
            if entry is None:
                raise Invalid(
                    f"{self.source} has no vector of {piece!r}, of class {name!r}: "
                    f"{self._near(piece)}, or substitutes = ('{name}=WORDS',)"
                )
        return [entry for entry in found.values() if entry is not None]

    def rows(self, words: Sequence[str]) -> NDArray[np.float32]:
        """(words, size)"""
        return self.vectors[[self.places[word] for word in words]]

    def _entry(self, text: str) -> str | None:
        return next((form for form in (text, text.lower()) if form in self.places), None)

    def _near(self, piece: str) -> str:
        alike = [word for word in self.places if word[:1] == piece[:1].lower()]
        near = get_close_matches(piece.lower(), alike, n=3, cutoff=0.5)
        return f"its nearest entries are {', '.join(near)}" if near else "nothing there is near"


def pieces(name: str) -> list[str]:
    """A name split at underscores, hyphens and spaces."""
    return [piece for piece in re.split(r"[_\-\s]+", name) if piece]


def combined(rows: Tensor, combine: Combine, weights: Sequence[float] = ()) -> Tensor:
    """(size,): one vector of those of several words, (words, size).

    "weights" is their weighted mean. The first weight is of the last word, in English the head
    noun. The last weight is of all earlier words that have none.
    """
    if combine == "first":
        return rows[0]
    if combine == "sum":
        return rows.sum(0)
    if combine == "mean":
        return rows.mean(0)
    backwards = [weights[min(place, len(weights) - 1)] for place in range(len(rows))]
    share = rows.new_tensor(backwards[::-1])
    return (share / share.sum()) @ rows


def substituted(names: Sequence[str], substitutes: Sequence[str]) -> list[str]:
    """The names, each with its substitute "name=words" if it has one."""
    given = dict(each.split("=", 1) for each in substitutes)
    return [given.get(name, name) for name in names]


def used(names: Sequence[str], table: Table, substitutes: Sequence[str]) -> bytes:
    """A digest over the words of each class and their rows. Raises Invalid for a missing one."""
    digest = hashlib.sha256()
    for words in map(table.words, substituted(names, substitutes)):
        digest.update("\0".join((*words, "")).encode() + table.rows(words).tobytes())
    return digest.digest()


class ClassVectors(ABC):
    """From the names of classes to a vector each."""

    @abstractmethod
    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        """(classes, size), float32. Raises Invalid for a class that has none."""


class Looked(ClassVectors):
    """Looked up in a table of words; the vectors of several words are combined to one."""

    def __init__(
        self, combine: Combine, weights: Sequence[float], substitutes: Sequence[str]
    ) -> None:
        self.combine, self.weights, self.substitutes = combine, weights, substitutes

    @classmethod
    def check(
        cls, *, combine: str, weights: tuple[float, ...], substitutes: tuple[str, ...], **_: object
    ) -> None:
        if (combine == "weights") != bool(weights) or (weights and not weights[0]):
            valid = "some, the first above 0, where combine = weights, else none"
            raise Invalid(f"{cls.__name__}.weights = {weights}: must be {valid}")
        for each in substitutes:
            if not all(each.partition("=")):
                raise Invalid(f"{cls.__name__}.substitutes = {each!r}: must be CLASS=WORDS")

    @abstractmethod
    def table(self, folder: Path) -> Table:
        """The vectors of all words."""

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        table = self.table(folder)
        rows = [table.rows(table.words(n)) for n in substituted(names, self.substitutes)]
        vectors = (combined(torch.from_numpy(r), self.combine, self.weights) for r in rows)
        return torch.stack(list(vectors))


@cache
def embedded() -> Table:
    """The embedded cut of GloVe."""
    with np.load(EMBEDDED, allow_pickle=False) as file:
        words, vectors = file["words"].tolist(), file["vectors"]
    return Table({word: i for i, word in enumerate(words)}, vectors, "the embedded vocabulary")


class Embedded(Looked):
    """GloVe's vectors of 100 numbers, of the words of the digits, CIFAR and ImageNet.

    `of` names the file that they are from; `size` keeps the first so many numbers.
    """

    def __init__(
        self,
        *,
        of: Literal["glove.6B.100d"] = "glove.6B.100d",
        size: Annotated[int, Interval(f"[1, {EMBEDDED_SIZE}]")] = EMBEDDED_SIZE,
        combine: Combine = "mean",
        weights: tuple[Weight, ...] = (),
        substitutes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(combine, weights, substitutes)
        self.size = size

    def table(self, folder: Path) -> Table:
        return embedded()

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        return super().__call__(names, folder, seed)[:, : self.size]
