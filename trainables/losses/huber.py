"""Huber loss of an array to the label's (Chen et al., ICLR 2021, matrices as labels)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Positive, Suggest
from trainables.targets.targets import Mass
from trainables.task import Out, Task


def huber(output: Tensor, target: Tensor, beta: float) -> Tensor:
    """(n,) the mean over the elements of two arrays (n, ...); in float32.

    An element that differs by d counts d^2 / (2 beta) below beta, and |d| - beta / 2 from there on.
    """
    each = F.smooth_l1_loss(output.float(), target, reduction="none", beta=beta)
    return each.flatten(1).mean(1)


class Huber(Loss):
    """Smooth L1 between what the head emits and the label's array, by default with beta 1."""

    def __init__(self, task: Task, *, beta: Positive = 1.0) -> None:
        super().__init__(task)
        self.beta = beta

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return huber(out.output, target, self.beta)

    @classmethod
    def needs(cls, **settings: Any) -> Mass:
        return "none"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"beta": trial.suggest_float("beta", 0.1, 10, log=True)}
