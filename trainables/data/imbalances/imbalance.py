"""Imbalance: how many training images each class keeps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch


class Imbalance(ABC):
    """From the size of the largest class to the size of every class."""

    @abstractmethod
    def __call__(self, most: int, names: Sequence[str], generator: torch.Generator) -> list[int]:
        """Images of each class, at most `most`. Raises Invalid where a class is left empty."""
