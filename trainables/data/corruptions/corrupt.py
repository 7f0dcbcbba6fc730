"""Corruption: wrong labels, made once before training, by a known rule."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor


class Corrupt(ABC):
    """From the labels of a set of images to those that are trained on.

    `validation`: whether the validation images, a part of the training set, have wrong labels as
    well. Whoever has only noisy data selects by noisy labels: so it is by default, and clean ones
    are extra knowledge that must be asked for. Test labels are always clean.
    """

    validation: bool

    @abstractmethod
    def __call__(self, y: Tensor, names: Sequence[str], generator: torch.Generator) -> Tensor:
        """(n,) -> (n,); `y` stays as it is. Raises Invalid where the rule has none for `names`."""
