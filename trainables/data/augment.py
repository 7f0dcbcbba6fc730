"""Augmentation of training images: a batch at a time, on its device, drawn for each image."""

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.settings import Fraction, Interval, Use


class Augment(ABC):
    """From images to images: of uint8, before normalisation, or of float32, after it.

    Those that work on normalised images come last, wherever they stand in a recipe.
    """

    normalised = False  # whether it is of the second kind

    @abstractmethod
    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        """(n, channels, height, width) -> the same, or side x side where it cuts."""


class Crop(Augment):
    """A window of side x side pixels at a uniformly random place of the padded image."""

    def __init__(
        self,
        *,
        padding: Annotated[int, Interval("[0, inf)")] = 0,
        mode: Literal["zero", "reflect"] = "zero",
    ) -> None:
        self.padding, self.mode = padding, mode

    @classmethod
    def demo(cls, use: Use) -> Use:
        """Up to one pixel of eight."""
        return use.but(padding=1)

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        x = pad(x, self.padding, self.mode)
        rooms = torch.tensor(x.shape[2:]) - side + 1
        corners = torch.rand(len(x), 2, generator=generator).mul(rooms).long()
        return windows(x, corners.to(x.device), side)


def windows(x: Tensor, corners: Tensor, side: int) -> Tensor:
    """(n, channels, side, side): of each image the window with this top left corner, (n, 2)."""
    n, channels, height, width = x.shape
    top, left = corners[:, 0, None, None], corners[:, 1, None, None]
    planes = torch.arange(n * channels, device=x.device).view(n, channels, 1) * height
    lines = planes + top + torch.arange(side, device=x.device)
    # One start for each line of a window: a line is copied whole, four times faster than by pixel.
    starts = (lines * width + left).view(-1)
    cut = x.reshape(-1).unfold(0, side, 1).index_select(0, starts)
    return cut.view(n, channels, side, side)


def pad(x: Tensor, padding: int, mode: str) -> Tensor:
    """`x` with so many pixels more on each side: zeros, or a reflection without the edge itself."""
    if mode == "zero" or not padding:
        return F.pad(x, (padding,) * 4)
    return F.pad(x.float(), (padding,) * 4, mode="reflect").to(torch.uint8)  # it reflects no uint8


class Flip(Augment):
    """Left and right exchanged, with this probability."""

    def __init__(self, *, probability: Fraction = 0.5) -> None:
        self.probability = probability

    @classmethod
    def demo(cls, use: Use) -> Use:
        """Never: a digit is not its mirror image."""
        return use.but(probability=0.0)

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        flip = torch.rand(len(x), generator=generator) < self.probability
        chosen = flip.nonzero()[:, 0].to(x.device)
        return x.index_copy(0, chosen, x.index_select(0, chosen).flip(3))


def centre(x: Tensor, side: int) -> Tensor:
    """The middle side x side pixels: what is evaluated."""
    top, left = (x.shape[2] - side) // 2, (x.shape[3] - side) // 2
    return x[:, :, top : top + side, left : left + side]
