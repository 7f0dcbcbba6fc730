"""Pairs: each image is followed by another one of its class."""

import torch
from torch import Tensor

from trainables.data.samplers.sampler import Sampler


class Pairs(Sampler):
    """Pairs of images of one class, in random order; no image is in two, but for odd classes.

    The last image of an odd class is paired with another of its class. A class of one image is
    paired with itself. Then a few pairs are left out, so that an epoch is no longer than the data.
    """

    def __call__(self, y: Tensor, classes: int, generator: torch.Generator) -> Tensor:
        pairs = []
        for label in range(classes):
            mine = (y == label).nonzero()[:, 0]
            mine = mine[torch.randperm(len(mine), generator=generator)]
            if len(mine) % 2:
                mine = torch.cat([mine, mine[:1]])
            pairs.append(mine.view(-1, 2))
        drawn = torch.cat(pairs)
        order = torch.randperm(len(drawn), generator=generator)[: len(y) // 2]
        return drawn[order].flatten()
