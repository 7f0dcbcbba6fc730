"""Gaussian compositions: smooth random matrices, each the sum of ten Gaussians."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from trainables.labels.matrices.label_matrices import HIGH, SIDE, LabelMatrices
from trainables.seeding import generator
from trainables.settings import Interval

NUMBER = 10  # of Gaussians in a matrix
# In sides of the matrix: imagen's sigmas for size = 0.15, as the paper's code has it, with that
# package's default ratio of width to height, 1 / 0.31.
SHORT = 0.15 / 2
LONG = SHORT / 0.31


def composition(centres: Tensor, angles: Tensor, side: int = SIDE) -> Tensor:
    """(side, side): the sum of Gaussians of height 1 with `centres` (n, 2), x and y in [0, 1].

    `angles` (n,) are those of their long axes with the x axis, in radians.
    """
    points = (torch.arange(side, dtype=centres.dtype) + 0.5) / side
    y, x = torch.meshgrid(points, points, indexing="ij")
    dx, dy = (grid - centre[:, None, None] for grid, centre in zip((x, y), centres.T, strict=True))
    cos, sin = angles.cos()[:, None, None], angles.sin()[:, None, None]
    along, across = (dx * cos + dy * sin) / LONG, (dy * cos - dx * sin) / SHORT
    total: Tensor = (-(along**2 + across**2) / 2).exp().sum(0)
    return total


def scaled(matrix: Tensor, high: float) -> Tensor:
    """The matrix, its least number moved to 0 and its largest to `high`."""
    low, top = matrix.aminmax()
    return (matrix - low) / (top - low) * high


class GaussianComposition(LabelMatrices):
    """Ten Gaussians at uniform positions and angles, their sum scaled to lie from 0 to 80.

    They are drawn by `seed`, whatever the trial's. The paper's code gives the x of each Gaussian
    to the one before as its y; here all are independent.
    """

    def __init__(self, *, seed: Annotated[int, Interval("[0, inf)")] = 0) -> None:
        self.seed = seed

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        chance = generator(self.seed, "gaussian compositions", len(names))
        drawn = torch.rand(len(names), NUMBER, 3, generator=chance, dtype=torch.float64)
        sums = (composition(each[:, :2], math.pi * each[:, 2]) for each in drawn)
        return torch.stack([scaled(each, HIGH) for each in sums]).float()
