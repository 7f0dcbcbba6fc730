"""A trial that trains nothing: `fit` with all that it writes and reports, and no work between."""

import time
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.data.sources.source import Source
from trainables.data.spec import DataSpec
from trainables.methods.method import Method
from trainables.nets.net import Net
from trainables.recipe import Recipe
from trainables.settings import Interval, Use
from trainables.task import Task
from trainables.trial import Trial

FORMATS = {"precision": "float32", "memory_format": "contiguous"}


class Dots(Source):
    """Black images of one pixel, two of each of two classes."""

    channels = 1
    side = 1
    classes = 2
    normalisation = ((0.5,), (0.5,))

    def names(self, folder: Path) -> tuple[str, ...]:
        return ("a", "b")

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        return torch.zeros((4, 1, 1, 1), dtype=torch.uint8), torch.tensor([0, 0, 1, 1])

    @classmethod
    def demo(cls, use: Use) -> Use:
        return use


class Through(Net):
    """The image as it is."""

    features = 1

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return x.flatten(1), (x,)


class Nothing(Method):
    """No step at all, but a wait; two metrics, as ordinary training has."""

    def __init__(
        self,
        model: torch.nn.Module,
        task: Task,
        *,
        seconds: Annotated[float, Interval("[0, inf)")] = 0.0,
    ) -> None:
        torch.nn.Module.__init__(self)
        self.model, self.seconds = model, seconds

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        time.sleep(self.seconds)
        return {"loss": torch.tensor(0.0), "accuracy": torch.tensor(0.5)}

    def end_epoch(self) -> None:
        """Nothing was counted."""

    def predict(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), 2)

    def evaluated(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.predict(batch.x), {}


def nothing(epochs: int, lr: float, seed: int, seconds: float = 0.0) -> Trial:
    """A trial of so many epochs of one step, which waits; with validation and test metrics."""
    recipe = Recipe(epochs=epochs, batch_size=2, lr=lr, schedule="constant", **FORMATS)
    data = DataSpec(source=Use(Dots), validation=0.5)
    method = Use(Nothing, seconds=seconds)
    return Trial(data=data, net=Use(Through), method=method, recipe=recipe, seed=seed)


def connect(slots: int) -> None:
    """To a Ray of this process's own, with places for so many such trials."""
    import ray

    ray.init(
        address="local",
        num_cpus=slots,
        num_gpus=0,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
