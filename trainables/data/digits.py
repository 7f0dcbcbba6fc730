"""The embedded data set: scikit-learn's 1,797 hand-written digits, 8 x 8 pixels (Alpaydin 1998)."""

from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from trainables.chance import generator
from trainables.data.source import Source
from trainables.settings import Interval, Use

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST = 597  # images, drawn once for all: the test set never changes


class Digits(Source):
    """1,200 training and 597 test images.

    `turn`: quarter turns of every image, and from 4 on mirrored before: eight different data sets
    of the same difficulty in principle, so that data sets stay apart at demo scale.
    """

    channels = 1
    side = 8
    classes = 10
    images = 1797 - TEST
    test_images = TEST
    normalisation = ((0.305,), (0.376,))  # of all images

    def __init__(self, *, turn: Annotated[int, Interval("[0, 7]")] = 0) -> None:
        self.turn = turn

    def names(self, folder: Path) -> tuple[str, ...]:
        return NAMES

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        from sklearn.datasets import load_digits  # two seconds that a study without training saves

        digits = load_digits()
        x = torch.from_numpy(digits.images).mul(255 / 16).round().to(torch.uint8)[:, None]
        x = x.flip(3) if self.turn >= 4 else x
        x = x.rot90(self.turn % 4, (2, 3)).contiguous()
        y = torch.from_numpy(digits.target).long()
        order = torch.randperm(len(y), generator=generator(0, "digits"))
        chosen = order[:TEST] if part == "test" else order[TEST:]
        return x[chosen], y[chosen]

    @classmethod
    def demo(cls, use: Use) -> Use:
        return use
