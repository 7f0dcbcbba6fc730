"""Augmentation of training images: a batch at a time, on its device, drawn for each image."""

import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.settings import Fraction, Interval, Invalid, Positive, Share, Use

TRIES = 10  # for a box that fits, as in torchvision


class Augment(ABC):
    """From images to images: of uint8, before normalisation, or of float32, after it.

    Those that work on normalised images come last, wherever they stand in a recipe.
    """

    normalised = False  # whether it is of the second kind

    def at(self, progress: float) -> Self:
        """The augmentation of an epoch that begins after this share of the training."""
        return self

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


class ResizedCrop(Augment):
    """A box of random size and place, resized to side x side: torchvision's RandomResizedCrop.

    Its share of the image's area is uniform in `scale`; width by height is log-uniform in `ratio`.
    Where none of TRIES boxes fits, it is the largest one in the middle with a ratio within `ratio`.
    Bilinear without antialiasing, which a box of more than side pixels would have there.
    """

    def __init__(
        self,
        *,
        scale: tuple[Share, Share] = (0.08, 1.0),
        ratio: tuple[Positive, Positive] = (3 / 4, 4 / 3),
    ) -> None:
        self.scale, self.ratio = scale, ratio

    @classmethod
    def check(cls, **settings: tuple[float, float]) -> None:
        for name, (low, high) in settings.items():
            if low > high:
                valid = "the lower end first"
                raise Invalid(f"ResizedCrop.{name} = {(low, high)}: must have {valid}")

    @classmethod
    def demo(cls, use: Use) -> Use:
        """A shift by up to one pixel: a tenth of eight by eight pixels shows no digit."""
        return Use(Crop, padding=1)

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        height, width = x.shape[2:]
        drawn = boxes(len(x), height, width, self.scale, self.ratio, generator)
        return resized(x, drawn.to(x.device), side)


def boxes(
    n: int,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """(n, 4): top, left, height and width of random boxes in an image of height x width pixels."""
    areas, aspects = torch.rand(2, TRIES, n, generator=generator)
    areas = height * width * (scale[0] + (scale[1] - scale[0]) * areas)
    low, high = map(math.log, ratio)
    aspects = (low + (high - low) * aspects).exp()
    tall, wide = (areas / aspects).sqrt().round(), (areas * aspects).sqrt().round()
    fits = (tall >= 1) & (tall <= height) & (wide >= 1) & (wide <= width)
    first = fits.int().argmax(0, keepdim=True)
    sizes = torch.stack([tall.gather(0, first)[0], wide.gather(0, first)[0]], dim=1)
    corners = torch.rand(n, 2, generator=generator).mul(torch.tensor([height, width]) - sizes + 1)
    middle = torch.tensor(largest(height, width, ratio))
    found = torch.cat([corners, sizes], dim=1).long()
    return torch.where(fits.any(0)[:, None], found, middle)


def largest(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the largest box in the middle with a ratio within `ratio`."""
    tall = min(height, round(width / ratio[0]))
    wide = min(width, round(height * ratio[1]))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def resized(x: Tensor, boxes: Tensor, side: int) -> Tensor:
    """(n, channels, side, side), uint8: of each image its box (n, 4), resized bilinearly."""
    pixels = (torch.arange(side, device=x.device) + 0.5) / side
    places = []
    for axis in (0, 1):
        start, length = boxes[:, axis, None], boxes[:, axis + 2, None]
        # Not beyond the box: its edge is repeated, as if it had been cut out before.
        place = start + torch.minimum((pixels * length - 0.5).clamp(min=0), length - 1)
        places.append((2 * place + 1) / x.shape[2 + axis] - 1)  # -1 to 1 from edge to edge
    rows, columns = places
    shape = (len(x), side, side)
    grid = torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], dim=3)
    cut = F.grid_sample(x.float(), grid, padding_mode="border", align_corners=False)
    return cut.round().to(torch.uint8)


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
