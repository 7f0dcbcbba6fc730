"""A small trial on the embedded digits, and what its parts are told and shown."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.data.augments.augment import Crop
from trainables.data.data import Batch
from trainables.data.sources.digits import NAMES, Digits
from trainables.data.spec import DataSpec
from trainables.methods.method import Method
from trainables.model import fresh
from trainables.nets.net import Net
from trainables.nets.resnet import CifarResNet
from trainables.recipe import Recipe
from trainables.settings import Use
from trainables.task import Out, Task
from trainables.training.site import Site
from trainables.training.tasks import Trained, task_for
from trainables.trial import Trial

torch.set_num_threads(1)  # all is too small for more, and trials here have one

NOWHERE = Path("nowhere")
CPU = torch.device("cpu")
SITE = Site(NOWHERE, CPU)
FORMATS = {"precision": "float32", "memory_format": "contiguous"}


def small_trial(**changes: Any) -> Trial:
    """3 epochs of 2 steps; 20 images to train on and 24 to validate on; no test images."""
    recipe = Recipe(
        epochs=3,
        batch_size=10,
        lr=0.05,
        schedule="constant",
        augment=(Use(Crop, padding=1),),
        **FORMATS,
    )
    data = DataSpec(source=Use(Digits), train_per_class=2, validation=0.02, test=False)
    trial = Trial(data=data, net=Use(CifarResNet, depth=8, width=4), recipe=recipe)
    return trial.set(changes).resolved(NOWHERE, FORMATS)


def small_task(classes: int = 3, folder: Path = NOWHERE, names: tuple[str, ...] = NAMES) -> Task:
    """Images of one channel and 2 x 2 pixels; one step an epoch."""
    y = torch.arange(classes)
    return tiny_task(small_trial(), names[:classes], y, folder=folder)


def tiny_task(
    trial: Trial,
    names: tuple[str, ...],
    y: Tensor,
    *,
    side: int = 2,
    steps: int = 1,
    folder: Path = NOWHERE,
    trained: Trained | None = None,
) -> Task:
    """The trial's task on images of one channel."""
    where = {"folder": folder, "device": CPU, "trained": trained}
    return task_for(trial, names, y, channels=1, side=side, steps=steps, **where)


class Pixels(Net):
    """The pixels of an image of 2 x 2 are the features."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = 4

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return x.flatten(1), (x,)


X = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])  # one pixel is lit: its weights alone are changed


def pixel_method(
    part: type[Method], y: list[int], settings: dict[str, Any] | None = None, **changes: Any
) -> Any:
    """A method over Pixels and a linear head of zero weights: three classes at 1/3 each.

    `y` are the labels of the training set, `settings` the method's, `changes` the trial's. Weights
    have no momentum and no decay.
    """
    plain = {"recipe.lr": 1.0, "recipe.momentum": 0.0, "recipe.weight_decay": 0.0}
    trial = small_trial().but(net=Use(Pixels)).set(plain | changes)
    task = tiny_task(trial, ("a", "b", "c"), torch.tensor(y))
    built = part(fresh(task), task, **(settings or {}))
    with torch.no_grad():
        for weight in built.model.parameters():
            weight.zero_()
    return built


def batch(y: list[int], x: Tensor | None = None) -> Batch:
    x = torch.zeros(len(y), 1, 2, 2) if x is None else x
    return Batch(x, torch.tensor(y), torch.arange(len(y)))


def out(scores: list[list[float]] | Tensor) -> Out:
    scores = torch.as_tensor(scores)
    return Out(scores, scores, scores, ())
