"""VGG-16 and VGG-19 (Simonyan & Zisserman 2015, table 1, columns D, E), but the linear layers."""

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.nets.net import Net, start, through
from trainables.settings import Positive, Use
from trainables.task import Task


class Halve(nn.Module):
    """Max pooling by two; maps of one pixel, which small images come to, stay as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 2) if min(x.shape[2:]) > 1 else x


class VGG16(Net):
    """Thirteen 3 x 3 convolutions in five stages, the last averaged: 512 features.

    The paper has two hidden linear layers of 4096 besides. Public versions for CIFAR, where the
    last map is one pixel, have none; so has this one, whatever the images' size. `batch_norm`
    after each convolution, which the paper has not, and without which rates near 0.1 diverge.
    """

    blocks = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions and their channels

    def __init__(self, task: Task, *, batch_norm: bool = False, width: Positive = 1.0) -> None:
        super().__init__(task)
        self.stages = nn.ModuleList()
        inputs = task.channels
        for convolutions, channels in self.blocks:
            layers: list[nn.Module] = []
            for _ in range(convolutions):
                outputs = math.ceil(width * channels)
                layers.append(nn.Conv2d(inputs, outputs, 3, padding=1))
                layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
                layers.append(nn.ReLU())
                inputs = outputs
            self.stages.append(nn.Sequential(*layers, Halve()))
        self.features = inputs
        start(self, "fan_out")
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return through(self.stages, x)

    @classmethod
    def fuses(cls, **_: Any) -> bool:
        return True

    @classmethod
    def demo(cls, use: Use) -> Use:
        """An eighth of the channels."""
        return use.but(width=use["width"] / 8)


class VGG19(VGG16):
    """The same with sixteen convolutions: a fourth in each of the last three stages."""

    blocks = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
