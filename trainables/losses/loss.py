"""Loss: how far what the network emits is from what it should emit."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torch import Tensor, nn

from trainables.data.data import Batch

if TYPE_CHECKING:
    from trainables.model import Out, Task


class Loss(nn.Module, ABC):
    """From a model's output and its target to one number an image."""

    def __init__(self, task: "Task") -> None:
        super().__init__()

    @abstractmethod
    def forward(self, out: "Out", target: Tensor, batch: Batch) -> Tensor:
        """(n,); changes no state."""
