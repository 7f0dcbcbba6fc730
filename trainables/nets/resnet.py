"""The ResNets for CIFAR (He et al. 2016, section 4.2)."""

from typing import TYPE_CHECKING, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.nets.net import Net
from trainables.settings import Count, Invalid, Use

if TYPE_CHECKING:
    from trainables.model import Task


class CifarResNet(Net):
    """ResNet-20, -32, -44, -56, -110: three stages of n blocks each, depth = 6 n + 2.

    A stage has twice the channels of the one before, from `width` on, and half its side.
    `shortcut`, where the channels change: "A" takes every second pixel and fills up with zeros,
    "B" is a 1 x 1 convolution with batch norm. Convolutions start as in He et al. 2015 with fan-in:
    so do the public PyTorch versions (Idelbayev's, LDAM's); Torch's fb.resnet had fan-out.
    """

    def __init__(
        self,
        task: "Task",
        *,
        depth: Count = 32,
        shortcut: Literal["A", "B"] = "A",
        width: Count = 16,
    ) -> None:
        super().__init__(task)
        blocks = (depth - 2) // 6
        self.stem = nn.Sequential(
            nn.Conv2d(task.channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.stages = nn.ModuleList(
            [
                _stage(width, width, blocks, 1, nn.Identity()),
                _stage(width, 2 * width, blocks, 2, SHORTCUTS[shortcut](width, 2 * width)),
                _stage(2 * width, 4 * width, blocks, 2, SHORTCUTS[shortcut](2 * width, 4 * width)),
            ]
        )
        self.features = 4 * width
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return x.mean((2, 3)), tuple(maps)

    @classmethod
    def check(cls, *, depth: int, **_: object) -> None:
        blocks = max((depth - 2) // 6, 1)
        if depth != 6 * blocks + 2:
            near = f"{6 * blocks + 2} or {6 * blocks + 8}"
            raise Invalid(f"{cls.__name__}.depth = {depth}: must be 6 n + 2, such as {near}")

    @classmethod
    def demo(cls, use: Use) -> Use:
        """One block a stage for every four, and a channel more for each of the 0 to 3 left over.

        So depths stay apart and in order: 20, 32, 44, 56, 110 become 8, 14, 14, 20, 32, with 18,
        16, 18, 16, 17 channels.
        """
        quarters, rest = divmod((use["depth"] - 2) // 6 - 1, 4)
        return use.but(depth=6 * quarters + 8, width=use["width"] + rest)


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: nn.Module) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class Subsample(nn.Module):
    """Shortcut A: (n, inputs, h, w) -> (n, outputs, ceil(h / 2), ceil(w / 2)), no parameters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.zeros = outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.zeros))


class Projection(nn.Sequential):
    """Shortcut B: the same shapes, learned."""

    def __init__(self, inputs: int, outputs: int) -> None:
        convolution = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outputs))


SHORTCUTS = {"A": Subsample, "B": Projection}


def _stage(
    inputs: int, outputs: int, blocks: int, stride: int, shortcut: nn.Module
) -> nn.Sequential:
    rest = (Block(outputs, outputs, 1, nn.Identity()) for _ in range(blocks - 1))
    return nn.Sequential(Block(inputs, outputs, stride, shortcut), *rest)
