"""GCPL: learned prototypes, and features close to their own (Yang et al., CVPR 2018)."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Suggest, Weight
from trainables.task import Out, Task


class GCPL(Loss):
    """Distance-based cross-entropy (equation 7) + weight * ||f - m_y||^2 (equations 12, 13).

    It takes the squared distances of the head Prototypes, whose scores are -gamma times them.
    `weight` is lambda.
    """

    def __init__(self, task: Task, *, weight: Weight = 0.001) -> None:
        super().__init__(task)
        self.weight = weight

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        label = F.cross_entropy(out.scores, target, reduction="none")
        return label + self.weight * out.output.gather(1, batch.y[:, None])[:, 0]

    @classmethod
    def takes_distances(cls, **_: Any) -> bool:
        return True

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"weight": trial.suggest_float("weight", 1e-4, 1, log=True)}
