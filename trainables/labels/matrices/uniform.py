"""Uniform random labels: of the highest entropy, in many dimensions or few."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from trainables.labels.matrices.label_matrices import HIGH, SIDE, LabelMatrices
from trainables.seeding import generator
from trainables.settings import Count, Interval, Invalid, Positive


class UniformMatrices(LabelMatrices):
    """Numbers drawn uniformly between 0 and `high`, in any `shape`.

    (10,) is the paper's low-dimensional label. They are drawn by `seed`, whatever the trial's.
    """

    def __init__(
        self,
        *,
        shape: tuple[Count, ...] = (SIDE, SIDE),
        high: Positive = HIGH,
        seed: Annotated[int, Interval("[0, inf)")] = 0,
    ) -> None:
        self.shape, self.high, self.seed = shape, high, seed

    @classmethod
    def check(cls, *, shape: tuple[int, ...], **_: object) -> None:
        if not shape:
            raise Invalid(f"{cls.__name__}.shape = (): must have a dimension")

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        chance = generator(self.seed, "uniform matrices", len(names))
        return self.high * torch.rand(len(names), *self.shape, generator=chance)
