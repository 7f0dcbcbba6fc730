"""Random erasing: a box of an image is overwritten (Zhong et al., AAAI 2020, algorithm 1)."""

from typing import Literal

import torch
from torch import Tensor

from trainables.data.augments.augment import TRIES, Augment
from trainables.settings import Fraction, Invalid, Positive


def erasures(
    n: int,
    height: int,
    width: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """(n, 4): top, left, height and width of a box an image; its share of the area is in `area`.

    Height by width is uniform in `aspect`. A box that none of TRIES draws fits is empty.
    """
    shares, ratios = torch.rand(2, TRIES, n, generator=generator)
    sizes = height * width * (area[0] + (area[1] - area[0]) * shares)
    ratios = aspect[0] + (aspect[1] - aspect[0]) * ratios
    tall, wide = (sizes * ratios).sqrt().round(), (sizes / ratios).sqrt().round()
    fits = (tall >= 1) & (tall < height) & (wide >= 1) & (wide < width)
    first = fits.int().argmax(0, keepdim=True)
    box = torch.stack([tall.gather(0, first)[0], wide.gather(0, first)[0]], dim=1)
    corners = torch.rand(n, 2, generator=generator).mul(torch.tensor([height, width]) - box + 1)
    return torch.cat([corners, box * fits.any(0)[:, None]], dim=1).long()


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """(n, 1, height, width): whether a pixel lies in its image's box (n, 4)."""
    masks = []
    for axis, length in enumerate((height, width)):
        place = torch.arange(length, device=boxes.device)
        start, stop = boxes[:, axis, None], boxes[:, axis, None] + boxes[:, axis + 2, None]
        masks.append((place >= start) & (place < stop))
    return (masks[0][:, :, None] & masks[1][:, None, :])[:, None]


class RandomErasing(Augment):
    """With `probability` a box of the image is filled; drawn for each image.

    `area`: its share of the image. `aspect`: its height by its width. `fill`: "noise", each value
    uniform in 0 to 255, or "mean", the data set's.
    """

    def __init__(
        self,
        *,
        probability: Fraction = 0.5,
        area: tuple[Fraction, Fraction] = (0.02, 0.4),
        aspect: tuple[Positive, Positive] = (0.3, 1 / 0.3),
        fill: Literal["noise", "mean"] = "noise",
    ) -> None:
        self.probability, self.area, self.aspect, self.fill = probability, area, aspect, fill
        self.normalised = fill == "mean"  # it is zero there

    @classmethod
    def check(cls, *, area: tuple[float, float], aspect: tuple[float, float], **_: object) -> None:
        for name, (low, high) in {"area": area, "aspect": aspect}.items():
            if low > high:
                valid = "the lower end first"
                raise Invalid(f"RandomErasing.{name} = {(low, high)}: must have {valid}")

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        chosen = torch.rand(len(x), generator=generator) < self.probability
        height, width = x.shape[2:]
        boxes = erasures(len(x), height, width, self.area, self.aspect, generator)
        boxes[~chosen] = 0
        mask = inside(boxes.to(x.device), height, width)
        if self.fill == "mean":
            return x.masked_fill(mask, 0)
        noise = torch.randint(256, x.shape, generator=generator, dtype=torch.uint8)
        return torch.where(mask, noise.to(x.device), x)
