"""ResNets (He et al. 2016, table 1) and MobileNetV2 (Sandler et al. 2018, table 2) of torchvision.

They come without the classifier. Images of less than 64 pixels a side get strides that shrink them
less. ImageNet's weights are torchvision's first, IMAGENET1K_V1: the only ones when the papers of
our tables were written.
"""

import math
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.downloads import fetch, verify
from trainables.nets.blocks import BasicBlock, Bottleneck
from trainables.nets.net import Net, through
from trainables.settings import Before, Interval, Invalid, Positive, Use
from trainables.task import Task

SMALL = 64  # pixels: images with a shorter side are small


@cache
def models() -> Any:
    """torchvision's; imported where they are needed, since that takes two seconds."""
    from torchvision import models

    return models


class TorchvisionNet(Net, ABC):
    """A trunk of four stages; `features` is the number of channels of the last, which is averaged.

    `width` multiplies the channels of every layer and `depth` the blocks of every stage, rounded
    up: 1 is the paper's. `weights` = "imagenet" starts from torchvision's file in the data folder.
    Raises Invalid where that is missing or corrupt, or the images are small or not in colour.
    """

    def __init__(
        self,
        task: Task,
        *,
        weights: Literal["none", "imagenet"] = "none",
        width: Positive = 1.0,
        depth: Positive = 1.0,
    ) -> None:
        super().__init__(task)
        small = task.side < SMALL
        if weights == "imagenet" and (small or task.channels != 3):
            images = f"{task.channels} x {task.side} x {task.side}"
            valid = f"none for images of {images}, which have no such first layer"
            raise Invalid(f"{type(self).__name__}.weights = imagenet: must be {valid}")
        self.build(task.channels, small, width, depth)
        for path in self.files(task.folder, weights=weights).values():
            verify(path, self.url())
            self.load_state_dict(self.trunk(torch.load(path, "cpu", weights_only=True)))

    @abstractmethod
    def build(self, channels: int, small: bool, width: float, depth: float) -> None:
        """Makes the layers, with random weights, and sets `features`."""

    @staticmethod
    @abstractmethod
    def url() -> str:
        """Where ImageNet's weights are."""

    @classmethod
    @abstractmethod
    def trunk(cls, entries: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of torchvision's weights all but the classifier's, by their names here."""

    @classmethod
    def check(cls, *, weights: str, width: float, depth: float, **_: object) -> None:
        if weights == "imagenet" and (width, depth) != (1, 1):
            valid = f"none with width = {width} and depth = {depth}, as only 1 and 1 have weights"
            raise Invalid(f"{cls.__name__}.weights = imagenet: must be {valid}")

    @classmethod
    def files(cls, folder: Path, *, weights: str, **_: object) -> dict[str, Path]:
        return {} if weights == "none" else {"weights": folder / cls.url().rpartition("/")[2]}

    @classmethod
    def fetch(cls, folder: Path, **settings: Any) -> None:
        """Downloads the file of `weights` where it is missing. Raises Invalid where that fails."""
        for path in cls.files(folder, **settings).values():
            fetch(path, cls.url())

    @classmethod
    def demo(cls, use: Use) -> Use:
        """An eighth of the channels, a quarter of the blocks.

        Instead of starting from ImageNet's weights it is half as wide again, so that trials with
        and without them stay apart.
        """
        width = use["width"] / 8 * (1.5 if use["weights"] == "imagenet" else 1)
        return use.but(weights="none", width=width, depth=use["depth"] / 4)


class TorchvisionResNet(TorchvisionNet):
    """A ResNet. For small images its first layer is 3 x 3 of stride 1, without pooling after it."""

    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    blocks: ClassVar[tuple[int, int, int, int]]  # in each stage

    def build(self, channels: int, small: bool, width: float, depth: float) -> None:
        planes = [math.ceil(width * base) for base in (64, 128, 256, 512)]
        kernel, stride = (3, 1) if small else (7, 2)
        self.conv1 = nn.Conv2d(channels, planes[0], kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, padding=1)
        inputs, stages = planes[0], []
        for outputs, blocks, stride in zip(planes, self.blocks, (1, 2, 2, 2), strict=True):
            stages.append(self._stage(inputs, outputs, math.ceil(depth * blocks), stride))
            inputs = outputs * self.block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.features = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def _stage(self, inputs: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
        outputs = planes * self.block.expansion
        shortcut = None
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            shortcut = nn.Sequential(convolution, nn.BatchNorm2d(outputs))
        first = self.block(inputs, planes, stride, shortcut)
        return nn.Sequential(
            first, *(self.block(outputs, planes, 1, None) for _ in range(1, blocks))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        return through((self.layer1, self.layer2, self.layer3, self.layer4), x)

    @classmethod
    def fuses(cls, **_: Any) -> bool:
        return True

    @classmethod
    def trunk(cls, entries: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in entries.items() if not name.startswith("fc.")}


class ResNet10(TorchvisionResNet):
    """10 layers, 512 features; torchvision has no weights of it."""

    block = BasicBlock
    blocks = (1, 1, 1, 1)

    def __init__(
        self,
        task: Task,
        *,
        weights: Literal["none"] = "none",
        width: Positive = 1.0,
        depth: Positive = 1.0,
    ) -> None:
        super().__init__(task, weights=weights, width=width, depth=depth)

    @classmethod
    def fuses(cls, **_: Any) -> bool:
        return True

    @staticmethod
    def url() -> str:
        return ""


class ResNet18(TorchvisionResNet):
    """18 layers, 512 features."""

    block = BasicBlock
    blocks = (2, 2, 2, 2)

    @staticmethod
    def url() -> str:
        return str(models().ResNet18_Weights.IMAGENET1K_V1.url)


class ResNet34(TorchvisionResNet):
    """34 layers, 512 features."""

    block = BasicBlock
    blocks = (3, 4, 6, 3)

    @staticmethod
    def url() -> str:
        return str(models().ResNet34_Weights.IMAGENET1K_V1.url)


class ResNet50(TorchvisionResNet):
    """50 layers, 2048 features; the second layer of a block has the stride, not the first."""

    block = Bottleneck
    blocks = (3, 4, 6, 3)

    @staticmethod
    def url() -> str:
        return str(models().ResNet50_Weights.IMAGENET1K_V1.url)


class ResNet101(TorchvisionResNet):
    """101 layers, 2048 features; blocks as in ResNet50."""

    block = Bottleneck
    blocks = (3, 4, 23, 3)

    @staticmethod
    def url() -> str:
        return str(models().ResNet101_Weights.IMAGENET1K_V1.url)


class ResNet152(TorchvisionResNet):
    """152 layers, 2048 features; blocks as in ResNet50."""

    block = Bottleneck
    blocks = (3, 8, 36, 3)

    @staticmethod
    def url() -> str:
        return str(models().ResNet152_Weights.IMAGENET1K_V1.url)


class MobileNetV2(TorchvisionNet):
    """Inverted residuals, 1280 features. For small images the first two strides are 1, not 2.

    Channels are rounded to multiples of 8, and the last layer is never narrower than 1280, as in
    the paper. A stage is all that has one side, from the layers with 24 channels on.

    `dropout`: the share of the features set to 0 in training, as torchvision's classifier does it
    before its linear layer. The trunk holds it, since heads are the same for all nets: whatever
    reads the features in training reads them after it. Both torchvision and the public
    fine-grained script of OLS have 0.2; results of before there was the setting have none.
    """

    def __init__(
        self,
        task: Task,
        *,
        weights: Literal["none", "imagenet"] = "none",
        width: Positive = 1.0,
        depth: Positive = 1.0,
        dropout: Annotated[float, Interval("[0, 1)"), Before(0.0)] = 0.2,
    ) -> None:
        super().__init__(task, weights=weights, width=width, depth=depth)
        self.dropout = nn.Dropout(dropout)

    def build(self, channels: int, small: bool, width: float, depth: float) -> None:
        rows = [  # expansion, channels, blocks, stride
            (1, 16, 1, 1),
            (6, 24, 2, 1 if small else 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ]
        rows = [(t, c, math.ceil(depth * n), s) for t, c, n, s in rows]
        whole = models().mobilenetv2.MobileNetV2(width_mult=width, inverted_residual_setting=rows)
        self.layers = whole.features
        self.features = whole.last_channel
        blocks = [n for _, _, n, _ in rows]
        self._ends = [sum(blocks[:row]) for row in (2, 3, 5)] + [len(self.layers) - 1]
        first = self.layers[0]
        stride = 1 if small else 2
        first[0] = nn.Conv2d(channels, first[0].out_channels, 3, stride, padding=1, bias=False)
        nn.init.kaiming_normal_(first[0].weight, mode="fan_out")

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        maps = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self._ends:
                maps.append(x)
        return self.dropout(x.mean((2, 3))), tuple(maps)

    @classmethod
    def fuses(cls, **settings: Any) -> bool:
        return not settings["dropout"]

    @classmethod
    def trunk(cls, entries: dict[str, Tensor]) -> dict[str, Tensor]:
        kept = (name for name in entries if not name.startswith("classifier."))
        return {f"layers.{name.removeprefix('features.')}": entries[name] for name in kept}

    @staticmethod
    def url() -> str:
        return str(models().MobileNet_V2_Weights.IMAGENET1K_V1.url)
