"""Label smoothing (Szegedy et al. 2016, section 7; `ols` equation 2)."""

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.settings import Fraction, Suggest
from trainables.targets.one_hot import on_label
from trainables.targets.targets import Mass, Targets
from trainables.task import Out, Task


def smooth(y: Tensor, classes: int, epsilon: float) -> Tensor:
    """Distributions (n, classes) with 1 - epsilon on the label and epsilon spread over all."""
    return F.one_hot(y, classes) * (1 - epsilon) + epsilon / classes


def log_smooth(y: Tensor, classes: int, epsilon: float) -> Tensor:
    """The logarithms of `smooth`; -inf without epsilon."""
    rest = math.log(epsilon) - math.log(classes) if epsilon else -math.inf
    return on_label(y, classes, math.log1p(epsilon / classes - epsilon), rest)


class Smooth(Targets):
    """The label, shrunk towards the uniform distribution."""

    def __init__(self, task: Task, *, epsilon: Fraction = 0.1) -> None:
        super().__init__(task)
        self.epsilon = epsilon

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return smooth(batch.y, self.task.classes, self.epsilon)

    def log(self, batch: Batch, out: Out) -> Tensor:
        return log_smooth(batch.y, self.task.classes, self.epsilon)

    @classmethod
    def mass(cls, **settings: Any) -> Mass:
        return "positive" if settings["epsilon"] > 0 else "distribution"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"epsilon": trial.suggest_float("epsilon", 0.01, 0.4)}
