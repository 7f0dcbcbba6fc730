"""Label matrices: an array of numbers for each class, by its name (`label_representation`)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from torch import Tensor

from trainables.settings import Invalid, Use

SIDE = 64  # rows and columns of a matrix: twice the side of CIFAR's images
HIGH = 80.0  # largest number of the labels that are not spoken


class LabelMatrices(ABC):
    """From the names of classes to the label of each."""

    @abstractmethod
    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        """(classes, *shape), float32. Raises Invalid for a class that has none.

        `folder` is where the files of settings lie. Only a source that says so follows `seed`,
        which is the trial's.
        """


@cache
def made(labels: Use, names: tuple[str, ...], folder: Path, seed: int) -> Tensor:
    """(classes, *shape), float32: the labels that a Use of LabelMatrices gives to these classes.

    Each call in this process gives the same tensor: who changes numbers copies it. Raises Invalid
    for a class without a label, and for two classes with one.
    """
    return distinct(labels.build()(names, folder, seed), names)


def distinct(labels: Tensor, names: Sequence[str]) -> Tensor:
    """The labels (classes, *shape). Raises Invalid for two that are equal, and names both."""
    places: dict[bytes, int] = {}
    for i, label in enumerate(labels):
        place = places.setdefault(label.numpy().tobytes(), i)
        if place != i:
            both = f"classes {names[place]!r} and {names[i]!r}"
            raise Invalid(f"{both} have one label: must be apart, or nearest labels say nothing")
    return labels
