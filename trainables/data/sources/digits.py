"""The embedded data set: scikit-learn's 1,797 hand-written digits, 8 x 8 pixels (Alpaydin 1998)."""

import functools
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from trainables.data.sources.source import Source
from trainables.seeding import generator
from trainables.settings import Interval, Use

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MEAN, STD = 0.305, 0.376  # of all pixels
TEST = 597  # images, drawn once for all: the test set never changes
EMBEDDED = Path(__file__).with_name("embedded") / "digits.npz"


class Digits(Source):
    """1,200 training and 597 test images.

    `turn`: quarter turns of every image, of the second four mirrored before, and from 8 on dark on
    bright: sixteen data sets of about the same difficulty, so that they stay apart at demo scale.
    """

    channels = 1
    side = 8
    classes = 10
    images = 1797 - TEST
    test_images = TEST
    normalisation = ((MEAN,), (STD,))

    def __init__(self, *, turn: Annotated[int, Interval("[0, 15]")] = 0) -> None:
        self.turn = turn
        if turn >= 8:
            self.normalisation = ((1 - MEAN,), (STD,))

    def names(self, folder: Path) -> tuple[str, ...]:
        return NAMES

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        x, y = _all()
        x = 255 - x if self.turn >= 8 else x
        x = x.flip(3) if self.turn % 8 >= 4 else x
        x = x.rot90(self.turn % 4, (2, 3)).contiguous()
        order = torch.randperm(len(y), generator=generator(0, "digits"))
        chosen = order[:TEST] if part == "test" else order[TEST:]
        return x[chosen], y[chosen]

    @classmethod
    def demo(cls, use: Use) -> Use:
        return use


@functools.cache
def _all() -> tuple[Tensor, Tensor]:
    """Pixels (1797, 1, 8, 8), uint8, and labels (1797,), as scikit-learn has them in order."""
    with np.load(EMBEDDED, allow_pickle=False) as kept:
        levels, labels = torch.from_numpy(kept["images"]), torch.from_numpy(kept["labels"])
    return levels.double().mul(255 / 16).round().to(torch.uint8)[:, None], labels.long()
