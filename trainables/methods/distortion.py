"""Two views of an image teach each other (Xu & Liu, AAAI 2019)."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.knowledge import divergence
from trainables.methods.method import Method
from trainables.model import Model
from trainables.settings import Positive, Suggest, Weight
from trainables.task import Task


def both_ways(one: Tensor, other: Tensor, temperature: float, detach: bool) -> Tensor:
    """T^2 * (KL(p || q) + KL(q || p)), (n,), with p and q the softmax of scores (n, classes) / T.

    With `detach` what is diverged from is a constant, in each direction.
    """
    log_p, log_q = (F.log_softmax(scores / temperature, dim=1) for scores in (one, other))
    const_p, const_q = (log_p.detach(), log_q.detach()) if detach else (log_p, log_q)
    return temperature**2 * (divergence(const_p, log_q) + divergence(const_q, log_p))


def mean_discrepancy(one: Tensor, other: Tensor) -> Tensor:
    """||mean f - mean f'||^2 of features (n, features): MMD with a linear kernel."""
    return (one.mean(0) - other.mean(0)).square().sum()


class DistortionDistillation(Method):
    """Data-distortion guided self-distillation: each image is shown twice, augmented anew.

    The loss is the objective of both views, summed, + `weight` (the paper's lambda) * their
    divergence both ways at `temperature` + `mmd` (mu) * the discrepancy between their features.
    Both views go through the net as one batch; targets observe the first. No code of the authors
    is known: weight and temperature are assumed, and its square is Hinton's. In OLS's tables
    features are not supervised: mmd = 0. A public re-implementation (Self-KD-Lib) has `detach`,
    half the objectives, and 5e-4 times the squared difference of the features' overall means.
    """

    views = 2

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        weight: Weight = 1.0,
        temperature: Positive = 3.0,
        mmd: Weight = 0.0,
        detach: bool = False,
    ) -> None:
        super().__init__(model, task)
        self.weight, self.temperature = weight, temperature
        self.mmd, self.detach = mmd, detach

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        assert batch.other is not None
        n = len(batch.y)
        both = self.model(torch.cat([batch.x, batch.other]))
        one, other = both.each(lambda t: t[:n]), both.each(lambda t: t[n:])
        loss = self.model.objective(batch, one)
        loss = loss + self.model.objective(replace(batch, x=batch.other), other)
        apart = both_ways(one.scores, other.scores, self.temperature, self.detach)
        loss = (loss + self.weight * apart).mean()
        if self.mmd:
            features = one.features.float(), other.features.float()
            loss = loss + self.mmd * mean_discrepancy(*features)
        return self.step(batch, one, loss, lr)

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        """The discrepancy is between means over the batch."""
        return not settings["mmd"]

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "weight": trial.suggest_float("weight", 0.01, 10, log=True),
            "temperature": trial.suggest_float("temperature", 1, 10, log=True),
        }
