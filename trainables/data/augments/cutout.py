"""Cutout: a square of each image is hidden (DeVries & Taylor 2017, section 3)."""

import torch
from torch import Tensor

from trainables.data.augments.augment import Augment
from trainables.settings import Count, Use


def cut_out(x: Tensor, middles: Tensor, side: int) -> Tensor:
    """`x` (n, channels, h, w) with zeros in the square about each image's pixel `middles` (n, 2).

    Of a square with an even side that pixel is the lower right of the middle four. What lies beyond
    the border is cut off.
    """
    inside = []
    for axis, length in enumerate(x.shape[2:]):
        start = middles[:, axis, None] - side // 2
        place = torch.arange(length, device=x.device)
        inside.append((place >= start) & (place < start + side))
    rows, columns = inside
    return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)


class Cutout(Augment):
    """A square of `side` pixels about a uniformly random pixel, set to the data set's mean.

    As in the paper and its code the square is zero in the normalised image, and the part of it
    beyond the border is lost. The paper has 16 pixels for CIFAR-10 and 8 for CIFAR-100.
    """

    normalised = True

    def __init__(self, *, side: Count = 16) -> None:
        self.side = side

    @classmethod
    def demo(cls, use: Use) -> Use:
        """A quarter, as the digits' 8 pixels are of 32, but never more than half a digit."""
        return use.but(side=min(-(-use["side"] // 4), 4))

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        middles = torch.rand(len(x), 2, generator=generator).mul(side).long()
        return cut_out(x, middles.to(x.device), self.side)
