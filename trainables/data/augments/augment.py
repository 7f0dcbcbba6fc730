"""Augmentation of training images: a batch at a time, on its device, drawn for each image."""

import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.augments.whole import Beyond, resized, scaled, sent, stretched, window
from trainables.settings import Fraction, Interval, Invalid, Positive, Share, Use

TRIES = 10  # for a box that fits, as in torchvision
BEYOND: dict[str, Beyond] = {"zero": "zeros", "reflect": "reflection"}


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

    def of_whole(
        self, x: Tensor, shapes: Tensor, side: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """The same of whole images that are distorted to squares `x`, and their `shapes`.

        These are height and width (n, 2) of the undistorted ones, on the CPU; None once it has cut.
        One that cuts, and has no rule of its own, has cut the distorted square.
        """
        seen = self(x, side, generator)
        return seen, shapes if seen.shape == x.shape else None


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
        return windows(x, sent(corners, x), side)

    def of_whole(
        self, x: Tensor, shapes: Tensor, side: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Of the image resized by its shorter side to what it is stored as."""
        sizes = scaled(shapes, x.shape[2])
        rooms = sizes + 2 * self.padding - side + 1
        corners = torch.rand(len(x), 2, generator=generator).mul(rooms).long() - self.padding
        return window(x, corners, sizes, side, BEYOND[self.mode]), None


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
        shapes = torch.tensor(x.shape[2:]).expand(len(x), 2)
        return resized(x, sent(boxes(shapes, self.scale, self.ratio, generator), x), side)

    def of_whole(
        self, x: Tensor, shapes: Tensor, side: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        drawn = boxes(shapes, self.scale, self.ratio, generator)
        return resized(x, sent(stretched(drawn, shapes, x.shape[2]), x), side), None


def boxes(
    shapes: Tensor,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """(n, 4): top, left, height and width of a random box in images of these sizes, (n, 2)."""
    height, width = shapes.unbind(1)
    areas, aspects = torch.rand(2, TRIES, len(shapes), generator=generator)
    areas = height * width * (scale[0] + (scale[1] - scale[0]) * areas)
    low, high = map(math.log, ratio)
    aspects = (low + (high - low) * aspects).exp()
    tall, wide = (areas / aspects).sqrt().round(), (areas * aspects).sqrt().round()
    fits = (tall >= 1) & (tall <= height) & (wide >= 1) & (wide <= width)
    first = fits.int().argmax(0, keepdim=True)
    sizes = torch.stack([tall.gather(0, first)[0], wide.gather(0, first)[0]], dim=1)
    corners = torch.rand(len(shapes), 2, generator=generator).mul(shapes - sizes + 1)
    found = torch.cat([corners, sizes], dim=1).long()
    return torch.where(fits.any(0)[:, None], found, largest(shapes, ratio))


def largest(shapes: Tensor, ratio: tuple[float, float]) -> Tensor:
    """(n, 4): the largest box in the middle with a ratio within `ratio`, in images (n, 2)."""
    height, width = shapes.unbind(1)
    tall = torch.minimum(height, (width.double() / ratio[0]).round().long())
    wide = torch.minimum(width, (height.double() * ratio[1]).round().long())
    return torch.stack([(height - tall) // 2, (width - wide) // 2, tall, wide], dim=1)


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
        chosen = sent(flip.nonzero()[:, 0], x)
        return x.index_copy(0, chosen, x.index_select(0, chosen).flip(3))


def centre(x: Tensor, side: int) -> Tensor:
    """The middle side x side pixels: what is evaluated."""
    top, left = (x.shape[2] - side) // 2, (x.shape[3] - side) // 2
    return x[:, :, top : top + side, left : left + side]
