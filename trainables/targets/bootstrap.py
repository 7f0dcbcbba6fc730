"""Bootstrapping: the label, mixed with what the net says (Reed et al. 2015, section 3.2)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.settings import Fraction, Suggest
from trainables.targets.online import log_mixed, mixed
from trainables.targets.targets import Mass, Targets
from trainables.task import Out, Task


class Bootsoft(Targets):
    """beta * t + (1 - beta) * q, with q the net's own probabilities.

    Gradients flow through q, too: the paper reads the second term as an entropy that is made small.
    `detach` makes q a constant; then it only weakens the label. Reed et al. and the public OLS
    script have beta = 0.95.
    """

    def __init__(self, task: Task, *, beta: Fraction = 0.95, detach: bool = False) -> None:
        super().__init__(task)
        self.beta, self.detach = beta, detach

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return mixed(batch.y, self._scores(out).softmax(1), self.beta)

    def log(self, batch: Batch, out: Out) -> Tensor:
        return log_mixed(batch.y, self._scores(out).log_softmax(1), self.beta)

    def _scores(self, out: Out) -> Tensor:
        return out.scores.detach() if self.detach else out.scores

    @classmethod
    def mass(cls, **settings: Any) -> Mass:
        return "positive" if settings["beta"] < 1 else "distribution"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "beta": trial.suggest_float("beta", 0.5, 1),
            "detach": trial.suggest_categorical("detach", (False, True)),
        }


class Boothard(Targets):
    """beta * t + (1 - beta) * z, with z the class that the net takes it for."""

    def __init__(self, task: Task, *, beta: Fraction = 0.8) -> None:
        super().__init__(task)
        self.beta = beta

    def forward(self, batch: Batch, out: Out) -> Tensor:
        z = F.one_hot(out.scores.argmax(1), self.task.classes)
        return mixed(batch.y, z, self.beta)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"beta": trial.suggest_float("beta", 0.5, 1)}
