"""Nets that make trouble, in a file that workers can import, too."""

import os
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.nets.net import Net
from trainables.settings import Count, Invalid
from trainables.task import Task


class Pixels(Net):
    """The mean of every channel."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = task.channels
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.scale * x.mean((2, 3)), ()


class Hungry(Pixels):
    """Is out of memory with fewer threads than it needs: with less than a whole node."""

    def __init__(self, task: Task, *, threads: Count = 2) -> None:
        super().__init__(task)
        if torch.get_num_threads() < threads:
            raise torch.OutOfMemoryError


class Stuck(Pixels):
    """Never returns."""

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        time.sleep(3600)
        return super().forward(x)


class Choosy(Pixels):
    """Slow to begin, and lacks a file on a node that is marked so."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        time.sleep(2)

    @staticmethod
    def fetch(folder: Path) -> None:
        if os.environ.get("UNFIT"):
            raise Invalid("the weights: must be there")


class Slow(Pixels):
    """Takes so many seconds, and no processor."""

    def __init__(self, task: Task, *, seconds: Count = 1) -> None:
        super().__init__(task)
        time.sleep(seconds)


class Lingering(Pixels):
    """Takes a quarter of a second a batch, and no processor."""

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        time.sleep(0.25)
        return super().forward(x)
