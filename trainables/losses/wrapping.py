"""Wrapping: what a loss that weighs the images of another one passes on."""

from abc import ABC
from typing import Any

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Use
from trainables.targets.targets import Mass
from trainables.task import Out, Task


class Wrapping(Loss, ABC):
    """A loss with a setting `loss`, which takes and needs what that one does."""

    def __init__(self, task: Task, loss: Use) -> None:
        super().__init__(task)
        self.loss: Loss = loss.build(task)
        self.logarithmic = self.loss.logarithmic

    def observe(self, batch: Batch, out: Out) -> None:
        self.loss.observe(batch, out)

    @classmethod
    def needs(cls, **settings: Any) -> Mass:
        loss: Use = settings["loss"]
        mass: Mass = loss.part.needs(**dict(loss.items))
        return mass

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        loss: Use = settings["loss"]
        splits: bool = loss.part.splits(**dict(loss.items))
        return splits

    @classmethod
    def takes_distances(cls, **settings: Any) -> bool:
        loss: Use = settings["loss"]
        takes: bool = loss.part.takes_distances(**dict(loss.items))
        return takes
