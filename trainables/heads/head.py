"""Head: what the network emits for its features, and what that says of the classes."""

from abc import ABC, abstractmethod

from torch import Tensor

from trainables.stepping import Stepping
from trainables.task import Task


class Head(Stepping, ABC):
    """From features to an output of any shape, and from that to a score a class."""

    emits_distances = False  # whether the output is a squared distance to each class
    emits_labels = False  # whether it is an array as the labels that its setting `labels` makes

    def __init__(self, task: Task, features: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """(n, features) -> (n, ...)"""

    def scores(self, output: Tensor) -> Tensor:
        """(n, ...) -> (n, classes): the output itself, unless the head says otherwise."""
        return output

    def hits(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Which images (n,) are right by other rules than the highest score, by a metric's name."""
        return {}
