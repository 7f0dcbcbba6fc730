"""Softmax equalization loss, by a threshold on class frequencies (Tan et al., CVPR 2020)."""

from typing import Annotated

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Fraction, Interval, Suggest
from trainables.task import Out, Task

LEAST = 1e-6  # of a class's share in the softmax, whose logarithm is taken


class Equalization(Loss):
    """-log p_y, p_j = exp(z_j) / sum_k w_k exp(z_k) with w_k = 1 - b * T(f_k) * (1 - y_k).

    T is 1 for classes whose share f of the training images is below `threshold`, else 0. b is drawn
    for each image and class, 1 with probability `chance`. So rare classes are mostly not pushed
    down by images of others. The authors' code is of detection: this follows the paper.
    """

    rare: Tensor

    def __init__(
        self,
        task: Task,
        *,
        threshold: Annotated[float, Interval("(0, 1)")] = 3e-3,
        chance: Fraction = 0.95,
    ) -> None:
        super().__init__(task)
        self.chance = chance
        share = task.counts.float() / task.counts.sum()
        rare = (share < threshold).float()
        self.register_buffer("rare", rare, persistent=False)  # follows from the data

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        scores = out.scores
        drawn = (torch.rand_like(scores) < self.chance).float()
        w = (1 - drawn * self.rare * (1 - target)).clamp(min=LEAST)
        return (scores + w.log()).logsumexp(1) - (target * scores).sum(1)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "threshold": trial.suggest_float("threshold", 1e-4, 0.2, log=True),
            "chance": trial.suggest_float("chance", 0.5, 1),
        }
