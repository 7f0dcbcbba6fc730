"""GridMask: squares on a grid are hidden (Chen et al. 2020, section 3)."""

import copy
import math
from typing import Literal, Self

import torch
from torch import Tensor

from trainables.data.augments.augment import Augment
from trainables.settings import Count, Fraction, Invalid, Share, Use


def bands(side: int, units: Tensor, offsets: Tensor, angles: Tensor, ratio: float) -> Tensor:
    """(n, side, side): whether a pixel lies on the lines of its image's grid.

    A grid of `units` (n,) pixels is shifted by `offsets` (n, 2). Then it is turned about the
    image's middle by `angles` (n,), in radians. Its lines are round(ratio * unit) pixels wide, half
    up.
    """
    place = torch.arange(side, device=units.device) - (side - 1) / 2
    rows, columns = torch.meshgrid(place, place, indexing="ij")
    sine, cosine = angles.sin()[:, None, None], angles.cos()[:, None, None]
    turned = (cosine * rows - sine * columns, sine * rows + cosine * columns)
    unit = units[:, None, None]
    wide = (ratio * unit + 0.5).floor()
    lines = [
        # Whole pixels, as of a mask that is drawn first, and then turned to the nearest pixel.
        (axis + (side - 1) / 2).round().sub(offsets[:, i, None, None]).remainder(unit) < wide
        for i, axis in enumerate(turned)
    ]
    return lines[0] | lines[1]


class GridMask(Augment):
    """Squares between the lines of a grid are set to the mean, or else the lines; drawn by image.

    The grid's unit is a whole number from `unit`, its upper end left out. The lines' share of it
    is `ratio`; of 360 degrees whole ones below `rotation` are drawn. The probability rises from 0
    to `probability` over the share `rise` of the training. Defaults are those that public code has
    for the authors' CIFAR runs; the authors' repository keeps their ImageNet code alone.
    """

    normalised = True

    def __init__(
        self,
        *,
        unit: tuple[Count, Count] = (24, 32),
        ratio: Fraction = 0.4,
        rotation: Count = 360,
        probability: Fraction = 0.8,
        rise: Share = 1.0,
        hide: Literal["squares", "lines"] = "squares",
    ) -> None:
        self.unit, self.ratio, self.rotation = unit, ratio, rotation
        self.rise, self.hide = rise, hide
        self.final = self.probability = probability

    @classmethod
    def check(cls, *, unit: tuple[int, int], **_: object) -> None:
        if unit[0] >= unit[1]:
            raise Invalid(f"GridMask.unit = {unit}: must have the lower end first, and below")

    @classmethod
    def demo(cls, use: Use) -> Use:
        """A quarter of the unit, as the digits' 8 pixels are of 32."""
        low, high = use["unit"]
        low = -(-low // 4)
        return use.but(unit=(low, max(high // 4, low + 1)))

    def at(self, progress: float) -> Self:
        now = copy.copy(self)
        now.probability = self.final * min(1.0, progress / self.rise)
        return now

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        n = len(x)
        chosen = torch.rand(n, generator=generator) < self.probability
        units = torch.randint(*self.unit, (n,), generator=generator)
        offsets = torch.rand(n, 2, generator=generator).mul(units[:, None]).floor()
        degrees = torch.randint(self.rotation, (n,), generator=generator)
        units, offsets, angles = (
            drawn.to(x.device) for drawn in (units, offsets, degrees * (math.pi / 180))
        )
        lines = bands(x.shape[2], units, offsets, angles, self.ratio)
        hidden = lines if self.hide == "lines" else ~lines
        return x.masked_fill((hidden & chosen.to(x.device)[:, None, None])[:, None], 0)
