"""Net: what turns images into features."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Literal

from torch import Tensor, nn

from trainables.stepping import Stepping
from trainables.task import Task

Init = Literal["fan_in", "fan_out", "default"]


def start(net: nn.Module, init: Init) -> None:
    """Draws the weights of all convolutions anew: normal, of variance 2 / fan (He et al. 2015).

    Fan-out counts all output channels, of grouped convolutions, too. "default" leaves PyTorch's:
    uniform, of variance 1 / (3 fan-in).
    """
    if init == "default":
        return
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode=init)


def through(stages: Iterable[nn.Module], x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """(n, features), the mean of the last stage's maps, and each stage's maps, in their order."""
    maps = []
    for stage in stages:
        x = stage(x)
        maps.append(x)
    return x.mean((2, 3)), tuple(maps)


class Net(Stepping, ABC):
    """A trunk without classifier. Subclasses set `features`, the width of what they emit."""

    features: int

    def __init__(self, task: Task) -> None:
        super().__init__()

    @classmethod
    def fuses(cls, **settings: Any) -> bool:
        """Whether `fused` makes one net of several: `forward` neither mixes nor counts channels
        but by its modules, and draws nothing by chance.
        """
        return False

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(n, channels, side, side) -> (n, features) and each stage's feature maps."""
