"""Net: what turns images into features."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from trainables.model import Task


class Net(nn.Module, ABC):
    """A trunk without classifier. Subclasses set `features`, the width of what they emit."""

    features: int

    def __init__(self, task: "Task") -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(n, channels, side, side) -> (n, features) and each stage's feature maps."""
