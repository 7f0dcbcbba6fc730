"""Targets: what the network should emit for an image."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from torch import Tensor

from trainables.data.data import Batch
from trainables.stepping import Stepping
from trainables.task import Out, Task

# Which targets there may be: arrays as what the head emits, that are no shares of the classes; some
# that sum to less than 1; distributions with zeros; or such alone that give every class some
# probability, so that its logarithm is finite.
Mass = Literal["none", "partial", "distribution", "positive"]
# What a loss wants that needs such, and why.
WORDS: dict[Mass, tuple[str, str]] = {
    "none": ("arrays as the head emits, as LabelMatrix", "compares them with its output"),
    "partial": ("shares of the classes, as OneHot", "takes such"),
    "distribution": ("distributions, that sum to 1", "takes their logarithm"),
    "positive": (
        "distributions with some probability for every class, as Smooth",
        "takes their logarithm",
    ),
}


class Targets(Stepping, ABC):
    """From a batch, and what the model says of it, to what it should say."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    @abstractmethod
    def forward(self, batch: Batch, out: Out) -> Tensor:
        """(n, ...); changes no state."""

    def log(self, batch: Batch, out: Out) -> Tensor:
        """The logarithms of `forward`, (n, classes), for a loss that takes them; of 0 it is -inf.

        Targets of "positive" mass override it: theirs are finite even where `forward` rounds to 0.
        """
        target: Tensor = self(batch, out)
        return target.log()

    @classmethod
    def mass(cls, **settings: Any) -> Mass:
        """What a loss may rely on, by the settings."""
        return "distribution"

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        """Whether an image's target depends on no other image of the batch, by the settings.

        If so, several workers may train one trial, each on a part of the batch.
        """
        return True

    def observe(self, batch: Batch, out: Out) -> None:
        """Called exactly once a training step, without gradient: where statistics may change.

        Of several workers' parts it gets the whole batch, but neither images nor feature maps.
        """

    def end_epoch(self) -> None:
        """Called after the last step of an epoch."""
