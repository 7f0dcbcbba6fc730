"""Decoupled training: first the features, then the classifier (Kang et al., ICLR 2020)."""

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Annotated, Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.data.samplers.resample import Resample
from trainables.heads.linear import Linear
from trainables.methods.method import Method, Sweep, last_stage
from trainables.model import Model
from trainables.optimizers import SGD
from trainables.seeding import seeded
from trainables.settings import Interval, Suggest, Use
from trainables.task import Out, Task

Start = Annotated[float, Interval("[0, 1)")]
START = 0.9  # 10 of 100 epochs are the second stage in the public code for ImageNet-LT


class Decoupled(Method, ABC):
    """From the share `start` of the training on, the net stays as it is, in evaluation mode.

    What follows the features is trained then, on batches in which all classes are as frequent. Its
    rate falls from the recipe's to 0 by a cosine of its own, epoch by epoch. The public code has
    such a schedule, from the rate of its first stage, too.
    """

    def __init__(self, model: Model, task: Task, *, start: float) -> None:
        super().__init__(model, task)
        self.task = task
        self.first = last_stage(start, task.recipe.epochs)

    @property
    def apart(self) -> bool:
        """Whether the running epoch is of the second stage."""
        return self.epoch >= self.first

    def sampling_in(self, epoch: int) -> Use | None:
        return Use(Resample) if epoch >= self.first else None

    def lr(self, planned: float) -> float:
        if not self.apart:
            return planned
        recipe = self.task.recipe
        done = (self.epoch - self.first) / (recipe.epochs - self.first)
        return recipe.lr * (1 + math.cos(math.pi * done)) / 2

    def start_epoch(self, epoch: int, sweep: Sweep) -> None:
        super().start_epoch(epoch, sweep)
        if epoch == self.first:
            self.change_over()

    @abstractmethod
    def change_over(self) -> None:
        """Called once, before the first step of the second stage."""

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.model.net.train(mode and not self.apart)
        self.model.net.requires_grad_(not self.apart)
        return self


class CRT(Decoupled):
    """cRT: the classifier is trained anew, from other first weights."""

    def __init__(self, model: Model, task: Task, *, start: Start = START) -> None:
        super().__init__(model, task, start=start)

    def change_over(self) -> None:
        with seeded(self.task.seed, "cRT"):
            fresh = self.task.parts.head.build(self.task, self.model.net.features)
        self.model.head.load_state_dict(fresh.state_dict())
        for weight in self.model.head.parameters():
            self.optimizer.state.pop(weight, None)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"start": trial.suggest_float("start", 0.5, 0.99)}


class LWS(Decoupled):
    """LWS: each class's score, bias included, is multiplied by a scale that is learned, from 1 on.

    The scales are written into the classifier, so that whatever reads the model has them. They have
    the recipe's momentum, and no weight decay: it would draw them to 0.
    """

    replaces = ("head",)
    weight: Tensor
    bias: Tensor

    def __init__(self, model: Model, task: Task, *, start: Start = START) -> None:
        super().__init__(model, task, start=start)
        self.scales = nn.Parameter(torch.ones(task.classes, device=task.device))
        recipe = task.recipe
        self.scaling = SGD([self.scales], recipe.lr, recipe.momentum)
        self.register_buffer("weight", torch.zeros_like(self.classifier.weight))
        self.register_buffer("bias", torch.zeros_like(self.classifier.bias))

    @property
    def classifier(self) -> nn.Linear:
        """The model's; not held twice, since a checkpoint has all that a method holds."""
        assert isinstance(self.model.head, Linear), "no other head goes with it"
        return self.model.head.classifier

    def change_over(self) -> None:
        self.weight.copy_(self.classifier.weight)
        self.bias.copy_(self.classifier.bias)

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        if not self.apart:
            return super().update(batch, lr)
        out = self.model(batch.x)
        scores = self.scales * F.linear(out.features.to(self.weight.dtype), self.weight, self.bias)
        scaled = replace(out, output=scores, scores=scores)
        return self.step(batch, scaled, self.model.objective(batch, scaled).mean(), lr)

    def step(self, batch: Batch, out: Out, loss: Tensor, lr: float) -> dict[str, Tensor]:
        self.scaling.zero_grad()
        metrics = super().step(batch, out, loss, lr)
        if self.apart:
            self.scaling.param_groups[0]["lr"] = lr
            self.scaling.step()
            with torch.no_grad():
                self.classifier.weight.copy_(self.scales[:, None] * self.weight)
                self.classifier.bias.copy_(self.scales * self.bias)
        return metrics

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        return True

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"start": trial.suggest_float("start", 0.5, 0.99)}
