"""The ResNets for CIFAR (He et al. 2016, section 4.2)."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.nets.net import Init, Net, start, through
from trainables.settings import Count, Invalid, Use
from trainables.task import Task


class CifarResNet(Net):
    """ResNet-20, -32, -44, -56, -110: three stages of n blocks each, depth = 6 n + 2.

    A stage has twice the channels of the one before, from `width` on, and half its side.
    `block` = "bottleneck": blocks of three convolutions with four times the channels, depth =
    9 n + 2 (the ResNet-29, -56, -74, -110 of online label smoothing, with shortcut B, and -164).
    `shortcut`, where the channels change: "A" takes every second pixel and fills up with zeros,
    "B" is a 1 x 1 convolution with batch norm. `init`: how convolutions start; with fan-in do the
    public PyTorch versions (Idelbayev's, LDAM's), with fan-out Torch's fb.resnet and that of online
    label smoothing.
    """

    def __init__(
        self,
        task: Task,
        *,
        depth: Count = 32,
        shortcut: Literal["A", "B"] = "A",
        width: Count = 16,
        block: Literal["basic", "bottleneck"] = "basic",
        init: Init = "fan_in",
    ) -> None:
        super().__init__(task)
        kind = BLOCKS[block]
        blocks = (depth - 2) // (3 * kind.layers)
        self.stem = nn.Sequential(
            nn.Conv2d(task.channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.stages = nn.ModuleList()
        inputs = width
        for scale, stride in ((1, 1), (2, 2), (4, 2)):
            outputs = scale * width * kind.expansion
            self.stages.append(_stage(kind, inputs, outputs, blocks, stride, SHORTCUTS[shortcut]))
            inputs = outputs
        self.features = inputs
        start(self, init)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return through(self.stages, self.stem(x))

    @classmethod
    def fuses(cls, **_: Any) -> bool:
        return True

    @classmethod
    def check(cls, *, depth: int, block: str, **_: object) -> None:
        layers = 3 * BLOCKS[block].layers
        blocks = max((depth - 2) // layers, 1)
        if depth != layers * blocks + 2:
            near = f"{layers * blocks + 2} or {layers * blocks + layers + 2}"
            raise Invalid(f"{cls.__name__}.depth = {depth}: must be {layers} n + 2, such as {near}")

    @classmethod
    def demo(cls, use: Use) -> Use:
        """One block a stage for every six, and a channel more for each of the 0 to 5 left over.

        So depths stay apart and in order: 20, 32, 44, 56, 110 become 8, 8, 14, 14, 20, with 18, 20,
        16, 18, 21 channels; of bottlenecks 29, 56, 74, 110 become 11, 11, 20, 20, with 18, 21, 17,
        21.
        """
        layers = 3 * BLOCKS[use["block"]].layers
        sixths, rest = divmod((use["depth"] - 2) // layers - 1, 6)
        return use.but(depth=layers * (sixths + 1) + 2, width=use["width"] + rest)


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    layers = 2
    expansion = 1  # the outputs are so many times the channels inside

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


class Bottleneck(nn.Module):
    """Convolutions of 1 x 1, 3 x 3 and 1 x 1 beside a shortcut; the middle one has `groups`.

    `inside`: the channels that it has, by default a quarter of the outputs.
    """

    layers = 3
    expansion = 4

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int,
        shortcut: nn.Module,
        inside: int | None = None,
        groups: int = 1,
    ) -> None:
        super().__init__()
        inside = inside or outputs // self.expansion
        self.conv1 = nn.Conv2d(inputs, inside, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride, padding=1, groups=groups, bias=False)
        self.norm2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.norm3(self.conv3(y)) + self.shortcut(x))


class Subsample(nn.Module):
    """Shortcut A: (n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride)).

    It has no parameters.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 2) -> None:
        super().__init__()
        self.zeros, self.stride = outputs - inputs, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.zeros))

    def fused(self, nets: int) -> nn.Module:
        return Subsamples(self, nets)


class Subsamples(nn.Module):
    """Shortcut A of several nets, whose channels are side by side: (n, nets inputs, h, w)."""

    def __init__(self, one: Subsample, nets: int) -> None:
        super().__init__()
        self.one, self.nets = one, nets

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(own) for own in x.chunk(self.nets, 1)], 1)


class Projection(nn.Sequential):
    """Shortcut B: the same shapes, learned."""

    def __init__(self, inputs: int, outputs: int, stride: int = 2) -> None:
        convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(outputs))


BLOCKS: dict[str, type[Block] | type[Bottleneck]] = {"basic": Block, "bottleneck": Bottleneck}
SHORTCUTS: dict[str, type[Subsample] | type[Projection]] = {"A": Subsample, "B": Projection}


def _stage(
    block: type[Block] | type[Bottleneck],
    inputs: int,
    outputs: int,
    blocks: int,
    stride: int,
    changing: type[Subsample] | type[Projection],
) -> nn.Sequential:
    shortcut = nn.Identity() if inputs == outputs else changing(inputs, outputs, stride)
    rest = (block(outputs, outputs, 1, nn.Identity()) for _ in range(blocks - 1))
    return nn.Sequential(block(inputs, outputs, stride, shortcut), *rest)
