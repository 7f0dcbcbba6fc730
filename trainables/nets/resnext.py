"""The ResNeXts for CIFAR (Xie et al. 2017, section 5.3)."""

from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.nets.net import Init, Net, start, through
from trainables.nets.resnet import Bottleneck, Projection
from trainables.settings import Count, Use
from trainables.task import Task


class ResNeXt29(Net):
    """ResNeXt-29, `cardinality` x `base_width`d: three stages of three bottleneck blocks.

    The stages have 4, 8 and 16 times `width` channels; the 3 x 3 convolutions of the first work in
    `cardinality` groups of `base_width` channels, those of each later stage in groups twice as
    wide. Projections where the channels change. `stem`: the side of the first convolution's kernel,
    3 in the paper, 1 in the public PyTorch versions, that of online label smoothing among them.
    `init`: how convolutions start; in that version by PyTorch's default.
    """

    def __init__(
        self,
        task: Task,
        *,
        cardinality: Count = 2,
        base_width: Count = 64,
        stem: Literal[3, 1] = 3,
        width: Count = 64,
        init: Init = "fan_in",
    ) -> None:
        super().__init__(task)
        self.conv1 = nn.Conv2d(task.channels, width, stem, padding=stem // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.stages = nn.ModuleList()
        inputs = width
        for scale, stride in ((1, 1), (2, 2), (4, 2)):
            outputs, inside = 4 * scale * width, cardinality * base_width * scale
            blocks = []
            for step in (stride, 1, 1):
                same = inputs == outputs
                shortcut = nn.Identity() if same else Projection(inputs, outputs, step)
                blocks.append(Bottleneck(inputs, outputs, step, shortcut, inside, cardinality))
                inputs = outputs
            self.stages.append(nn.Sequential(*blocks))
        self.features = inputs
        start(self, init)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return through(self.stages, F.relu(self.norm1(self.conv1(x))))

    @classmethod
    def fuses(cls, **_: Any) -> bool:
        return True

    @classmethod
    def demo(cls, use: Use) -> Use:
        """An eighth of the channels, in as many groups as before or, if those get empty, one each.

        2 x 64d becomes 2 x 8d, and 32 x 4d becomes 16 x 1d.
        """
        cardinality, base_width, width = use["cardinality"], use["base_width"], use["width"]
        if base_width < 8:
            cardinality, base_width = -(-cardinality * base_width // 8), 1
        else:
            base_width //= 8
        return use.but(cardinality=cardinality, base_width=base_width, width=-(-width // 8))
