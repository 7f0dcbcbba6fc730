"""Loss: how far what the network emits is from what it should emit."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from trainables.data.data import Batch
from trainables.stepping import Stepping
from trainables.targets.targets import Mass
from trainables.task import Out, Task


class Loss(Stepping, ABC):
    """From a model's output and its target to one number an image."""

    logarithmic = False  # whether `target` is what `Targets.log` gives, not the targets themselves

    def __init__(self, task: Task) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        """(n,); changes no state."""

    def observe(self, batch: Batch, out: Out) -> None:
        """Called exactly once a training step, without gradient: where statistics may change.

        Of several workers' parts it gets the whole batch, but neither images nor feature maps.
        """

    @classmethod
    def needs(cls, **settings: Any) -> Mass:
        """The least that targets must be, by the settings; "partial": any shares of the classes.

        "none": arrays as what the head emits, and nothing else.
        """
        return "partial"

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        """Whether an image's number depends on no other image of the batch, by the settings.

        If so, several workers may train one trial, each on a part of the batch.
        """
        return True

    @classmethod
    def takes_distances(cls, **settings: Any) -> bool:
        """Whether the head must emit a squared distance to each class, by the settings."""
        return False
