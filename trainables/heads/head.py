"""Head: what the network emits for its features, and what that says of the classes."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from trainables.task import Task


class Head(nn.Module, ABC):
    """From features to an output of any shape, and from that to a score a class."""

    emits_distances = False  # whether the output is a squared distance to each class
    emits_labels = False  # whether it is an array as the labels that its setting `labels` makes

    def __init__(self, task: Task, features: int) -> None:
        super().__init__()

    @classmethod
    def captures(cls, **settings: Any) -> bool:
        """Whether what decides over `forward` are tensors, but for what an epoch begins with.

        If so, a GPU may repeat a step's kernels; and `--check` holds such steps against others.
        """
        return True

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """(n, features) -> (n, ...)"""

    def scores(self, output: Tensor) -> Tensor:
        """(n, ...) -> (n, classes): the output itself, unless the head says otherwise."""
        return output

    def hits(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Which images (n,) are right by other rules than the highest score, by a metric's name."""
        return {}
