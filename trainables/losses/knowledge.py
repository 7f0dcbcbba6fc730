"""KESL: cross-entropy to the label plus divergence from the soft label (Yuan et al., ICPR 2020)."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Invalid, Suggest, Weight
from trainables.targets.targets import Mass
from trainables.task import Out, Task


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) of each row, (n,), from logarithms (n, classes). Where p is 0 it adds nothing."""
    p = log_p.exp()
    # The difference is left out, not the product: 0 times an infinite slope has no gradient.
    return (p * torch.where(p == 0, 0, log_p - log_q)).sum(1)


class KnowledgeLoss(Loss):
    """alpha * CE(label) + beta * KL, with p the network's softmax and g the soft label.

    `kl`: "reverse" is KL(p || g), the paper's L_KL with its undefined g' read as p;
    "forward" is KL(g || p).
    """

    logarithmic = True

    def __init__(
        self,
        task: Task,
        *,
        alpha: Weight = 1.0,
        beta: Weight = 1.0,
        kl: Literal["reverse", "forward"] = "reverse",
    ) -> None:
        super().__init__(task)
        self.alpha, self.beta, self.kl = alpha, beta, kl

    @classmethod
    def check(cls, *, alpha: float, beta: float, **_: object) -> None:
        if alpha == beta == 0:
            raise Invalid("KnowledgeLoss.alpha = 0.0: must be above 0 where beta = 0")

    def forward(self, out: Out, log_target: Tensor, batch: Batch) -> Tensor:
        log_p = F.log_softmax(out.scores, dim=1)
        pair = (log_p, log_target) if self.kl == "reverse" else (log_target, log_p)
        label = F.nll_loss(log_p, batch.y, reduction="none")
        return self.alpha * label + self.beta * divergence(*pair)

    @classmethod
    def needs(cls, **settings: Any) -> Mass:
        return "positive" if settings["kl"] == "reverse" else "distribution"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0, 1),
            "beta": trial.suggest_float("beta", 0.01, 10, log=True),
            "kl": trial.suggest_categorical("kl", ("reverse", "forward")),
        }
