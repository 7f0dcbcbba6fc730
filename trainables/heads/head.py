"""Head: what the network emits for its features, and what that says of the classes."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from trainables.task import Task


class Head(nn.Module, ABC):
    """From features to an output of any shape, and from that to a score a class."""

    emits_distances = False  # whether the output is a squared distance to each class

    def __init__(self, task: Task, features: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """(n, features) -> (n, ...)"""

    def scores(self, output: Tensor) -> Tensor:
        """(n, ...) -> (n, classes): the output itself, unless the head says otherwise."""
        return output
