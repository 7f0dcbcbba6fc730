"""Source: a data set, as it is found under the data folder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from trainables.settings import Use


class Images(Protocol):
    """Images by index: uint8 (n, channels, height, width); a tensor, or decoded on demand."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor) -> Tensor: ...


class Source(ABC):
    """A data set with its class names and normalisation; a setting is a keyword of the subclass."""

    channels: int = 3
    side: int  # of the square images that a net sees, in pixels
    classes: int  # how many, and
    images: int  # how many to train on, and
    test_images: int  # to test on: known without the data, for an estimate of the cost
    meta_images: int = 0  # clean ones besides, of the part "meta"; without any there is none
    # Mean and standard deviation, by channel, of pixels in [0, 1]: what is subtracted and divided.
    normalisation: tuple[tuple[float, ...], tuple[float, ...]]

    def verify(self, folder: Path) -> None:  # noqa: B027  # what is embedded is always there
        """Raises Invalid, naming the file, where the data are missing, incomplete or corrupt.

        Fetches what is missing where that is possible.
        """

    @classmethod
    def counted(cls, use: Use, folder: Path) -> Use:
        """The same with the numbers that are not given as they are found under `folder`.

        Raises Missing or Invalid where they cannot be counted.
        """
        return use

    def remarks(self, folder: Path) -> list[str]:
        """In lines, what a user should know of how the data are read."""
        return []

    @abstractmethod
    def names(self, folder: Path) -> tuple[str, ...]:
        """The classes' names, in the order of the labels."""

    @abstractmethod
    def load(self, folder: Path, part: str) -> tuple[Images, Tensor]:
        """Images and labels (n,) int64 of the part "train", "test", or "meta" if there is one."""

    def labels_of(self, folder: Path, part: str) -> Tensor:
        """The labels alone, for a look at how many images there are."""
        return self.load(folder, part)[1]

    @classmethod
    @abstractmethod
    def demo(cls, use: Use) -> Use:
        """This data set's own variant of the embedded digits."""


def names_of(source: Use, folder: Path) -> Sequence[str]:
    """The names of the data set's classes. Raises Missing where its data are."""
    names: Sequence[str] = source.build().names(folder)
    return names
