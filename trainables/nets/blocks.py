"""Blocks of ImageNet's ResNets (He et al. 2016, figure 5), as torchvision has and names them.

So its weights load, and checkpoints of trials that were trained with torchvision's own blocks. To
import those takes each process two seconds. The blocks of `resnet.py`, CIFAR's, have other names.
"""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; None is the input itself."""

    expansion: ClassVar[int] = 1  # the outputs are so many times the planes

    def __init__(self, inputs: int, planes: int, stride: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return _beside(self.bn2(self.conv2(y)), self.downsample, x)


class Bottleneck(nn.Module):
    """Convolutions of 1 x 1, 3 x 3 and 1 x 1 beside a shortcut; the middle one has the stride."""

    expansion: ClassVar[int] = 4

    def __init__(self, inputs: int, planes: int, stride: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return _beside(self.bn3(self.conv3(y)), self.downsample, x)


def _beside(y: Tensor, shortcut: nn.Module | None, x: Tensor) -> Tensor:
    y += x if shortcut is None else shortcut(x)
    return F.relu(y, inplace=True)
