"""Sampler: which training images an epoch has, and in which order."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Sampler(ABC):
    """From the training labels to the places of the images that an epoch is made of."""

    @abstractmethod
    def __call__(self, y: Tensor, classes: int, generator: torch.Generator) -> Tensor:
        """Labels (n,) on the CPU -> places (n,) or, of an odd n, (n - 1,), in training order."""


class Shuffle(Sampler):
    """Every image once an epoch, in random order."""

    def __call__(self, y: Tensor, classes: int, generator: torch.Generator) -> Tensor:
        return torch.randperm(len(y), generator=generator)
