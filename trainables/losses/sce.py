"""Symmetric cross-entropy (Wang et al., ICCV 2019, section 4)."""

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Interval, Invalid, Suggest, Weight
from trainables.targets.targets import Mass
from trainables.task import Out, Task


def reverse_cross_entropy(scores: Tensor, log_target: Tensor, log_zero: float) -> Tensor:
    """-sum_k p_k log q_k, (n,), with p the softmax and q the target; log q is at least log_zero.

    To a label it is -log_zero * (1 - p_y).
    """
    return -(scores.softmax(1) * log_target.clamp(min=log_zero)).sum(1)


class SymmetricCrossEntropy(Loss):
    """alpha * CE + beta * RCE: cross-entropy both ways, the way back robust to wrong labels.

    `alpha` and `beta` are the paper's for CIFAR-100 (for CIFAR-10 0.1 and 1). `log_zero` is its
    A = -4, in place of log 0; the public scripts, those of OLS too, have log 1e-4 = -9.21. The
    cross-entropy is not clamped.
    """

    logarithmic = True

    def __init__(
        self,
        task: Task,
        *,
        alpha: Weight = 6.0,
        beta: Weight = 0.1,
        log_zero: Annotated[float, Interval("(-inf, 0)")] = -4.0,
    ) -> None:
        super().__init__(task)
        self.alpha, self.beta, self.log_zero = alpha, beta, log_zero

    @classmethod
    def check(cls, *, alpha: float, beta: float, **_: object) -> None:
        if alpha == beta == 0:
            raise Invalid(f"{cls.__name__}.alpha = 0.0: must be above 0 where beta = 0")

    def forward(self, out: Out, log_target: Tensor, batch: Batch) -> Tensor:
        forth = F.cross_entropy(out.scores, log_target.exp(), reduction="none")
        back = reverse_cross_entropy(out.scores, log_target, self.log_zero)
        return self.alpha * forth + self.beta * back

    @classmethod
    def needs(cls, **_: object) -> Mass:
        return "distribution"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0.01, 10, log=True),
            "beta": trial.suggest_float("beta", 0.01, 10, log=True),
        }
