"""Random class vectors, which say nothing of the classes (`word_embedding`, Fig. 5)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from trainables.labels.words import EMBEDDED_SIZE, ClassVectors
from trainables.seeding import generator
from trainables.settings import Count, Invalid, Use


class RandomVectors(ClassVectors):
    """Numbers drawn uniformly between `low` and `high`.

    They are the same in every trial of that many classes, whatever its seed, unless `per_trial`.
    """

    def __init__(
        self,
        *,
        size: Count = 300,
        low: float = -1.0,
        high: float = 1.0,
        per_trial: bool = False,
    ) -> None:
        self.size, self.low, self.high, self.per_trial = size, low, high, per_trial

    @classmethod
    def check(cls, *, low: float, high: float, **_: object) -> None:
        if low >= high:
            raise Invalid(f"{cls.__name__}.low = {low}: must be below high = {high}")

    @classmethod
    def demo(cls, use: Use) -> Use:
        """As many numbers as the embedded vectors have."""
        return use.but(size=min(use["size"], EMBEDDED_SIZE))

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        chance = generator(seed if self.per_trial else 0, "class vectors", len(names))
        drawn = torch.rand(len(names), self.size, generator=chance)
        return self.low + (self.high - self.low) * drawn
