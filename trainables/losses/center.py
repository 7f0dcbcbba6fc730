"""Center loss: features close to the centre of their class (Wen et al., ECCV 2016)."""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Interval, Suggest, Weight
from trainables.task import Out, Task


def moved(centres: Tensor, features: Tensor, y: Tensor, rate: float) -> Tensor:
    """Centres (classes, d) after a batch: c_j - rate * sum over y_i = j of (c_j - f_i) / (1 + n_j).

    Equation 4, with n_j the batch's images of class j; a class that it lacks stays.
    """
    sums = torch.zeros_like(centres).index_add(0, y, features)
    n = torch.bincount(y, minlength=len(centres))[:, None]
    return centres - rate * (n * centres - sums) / (1 + n)


class CenterLoss(Loss):
    """Cross-entropy + weight / 2 * ||f - c_y||^2 (equation 5), with f the net's features.

    `weight` is lambda, `rate` alpha. Centres start at 0, which the paper leaves open. `update`
    "gradient" is that of public ports: a step of SGD at `rate` on the mean of ||f - c_y||^2.
    """

    centres: Tensor

    def __init__(
        self,
        task: Task,
        *,
        weight: Weight = 0.003,
        rate: Annotated[float, Interval("[0, 1]")] = 0.5,
        update: Literal["paper", "gradient"] = "paper",
    ) -> None:
        super().__init__(task)
        self.weight, self.rate, self.update = weight, rate, update
        self.register_buffer("centres", torch.zeros(task.classes, task.features))

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        label = F.cross_entropy(out.scores, target, reduction="none")
        apart = (out.features.float() - self.centres[batch.y]).square().sum(1)
        return label + self.weight / 2 * apart

    def observe(self, batch: Batch, out: Out) -> None:
        features = out.features.float()
        if self.update == "paper":
            self.centres.copy_(moved(self.centres, features, batch.y, self.rate))
        else:
            pull = 2 / len(features) * (self.centres[batch.y] - features)
            self.centres.index_add_(0, batch.y, pull, alpha=-self.rate)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "weight": trial.suggest_float("weight", 1e-4, 0.1, log=True),
            "rate": trial.suggest_float("rate", 0.1, 1),
        }
