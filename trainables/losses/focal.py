"""Focal loss: what is right already counts less (Lin et al., ICCV 2017, equation 4)."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Suggest, Weight
from trainables.task import Out, Task


class Focal(Loss):
    """-sum_k target_k (1 - p_k)^gamma log p_k with p the softmax, as in LDAM's public code.

    For a label that is (1 - p_y)^gamma times the cross-entropy. `gamma` is that code's.
    """

    def __init__(self, task: Task, *, gamma: Weight = 1.0) -> None:
        super().__init__(task)
        self.gamma = gamma

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        log_p = F.log_softmax(out.scores, dim=1)
        # 1 - p by expm1, which is exact for p near 1; the least p has a finite slope of any power.
        wrong = (-log_p.expm1()).clamp(min=1e-12)
        return -(target * wrong**self.gamma * log_p).sum(1)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"gamma": trial.suggest_float("gamma", 0, 5)}
