"""Model: net, head, targets and loss, put together for one task."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from trainables.chance import seed_of
from trainables.data.data import Batch
from trainables.heads.head import Head
from trainables.losses.loss import Loss
from trainables.nets.net import Net
from trainables.targets.targets import Targets
from trainables.trial import Recipe, Trial

M = TypeVar("M", bound=nn.Module)
Trained = Callable[[Trial], dict[str, Any]]  # the final state of a finished trial's model


@dataclass(frozen=True)
class Out:
    """What a model says of n images."""

    features: Tensor  # (n, features)
    output: Tensor  # the head's, of any shape
    scores: Tensor  # (n, classes), float32: larger is more likely
    stages: tuple[Tensor, ...]  # each stage's feature maps (n, channels, height, width)

    def each(self, change: Callable[[Tensor], Tensor]) -> "Out":
        """The same with every tensor changed so."""
        stages = tuple(map(change, self.stages))
        return Out(change(self.features), change(self.output), change(self.scores), stages)

    def detach(self) -> "Out":
        return self.each(Tensor.detach)


@dataclass(frozen=True, eq=False)
class Task:
    """What a part may know of the training that it takes part in."""

    trial: Trial
    names: tuple[str, ...]  # of the classes
    y: Tensor  # (n,) training labels by index
    channels: int
    side: int  # of the square images that the net sees, in pixels
    steps: int  # in an epoch
    folder: Path  # where the files of settings lie
    device: torch.device
    trained: Trained | None = None  # None: a teacher keeps its initial weights

    @property
    def classes(self) -> int:
        return len(self.names)

    @property
    def recipe(self) -> Recipe:
        return self.trial.recipe

    @cached_property
    def counts(self) -> Tensor:
        """(classes,) training images of each class."""
        return torch.bincount(self.y, minlength=self.classes)

    def model(self, purpose: str = "model") -> "Model":
        """A new model; its initial weights depend on the trial's seed and the purpose alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(self.trial.seed, f"{purpose}.net"))
            net = self.trial.net.build(self)
            torch.manual_seed(seed_of(self.trial.seed, f"{purpose}.head"))
            head = self.trial.head.build(self, net.features)
        targets, loss = self.trial.targets.build(self), self.trial.loss.build(self)
        return self.placed(Model(net, head, targets, loss, self))

    def placed(self, module: M) -> M:
        """The module on the device, in the recipe's memory format."""
        formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
        return module.to(self.device).to(memory_format=formats[self.recipe.memory_format])

    def teacher(self, trial: Trial) -> "Model":
        """The trained model of another trial with the same data, in evaluation mode."""
        model = replace(self, trial=trial).model("teacher")
        if self.trained:
            model.load_state_dict(self.trained(trial))
        return model.eval().requires_grad_(False)


class Model(nn.Module):
    """A net with its head, the targets it is trained towards and the loss between them."""

    def __init__(self, net: Net, head: Head, targets: Targets, loss: Loss, task: Task) -> None:
        super().__init__()
        self.net, self.head, self.targets, self.loss = net, head, targets, loss
        low = task.recipe.precision == "bfloat16"
        self._autocast: dict[str, Any] = {"device_type": task.device.type, "enabled": low}

    def autocast(self) -> torch.autocast:
        """Where sums are taken in the recipe's precision."""
        return torch.autocast(dtype=torch.bfloat16, **self._autocast)

    def forward(self, x: Tensor) -> Out:
        with self.autocast():
            features, stages = self.net(x)
            output = self.head(features)
        scores = self.head.scores(output).float()
        return Out(features, output, scores, stages)

    def objective(self, batch: Batch, out: Out) -> Tensor:
        """(n,) the loss of each image; changes no state."""
        loss: Tensor = self.loss(out, self.targets(batch, out), batch)
        return loss
