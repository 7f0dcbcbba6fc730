"""Sigmoid focal loss: one yes-or-no question a class (Cui et al., CVPR 2019, section 4.3)."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Positive, Suggest, Weight
from trainables.task import Out, Task


class SigmoidFocal(Loss):
    """-sum_k (1 - q_k)^gamma log q_k, q_k the sigmoid of z_k for the label and of -z_k for others.

    z is `scale` times the scores. A soft target t weighs both answers: t of yes, 1 - t of no.
    With Reweighted by the effective number it is CB focal; the paper chooses gamma of 0.5, 1 and
    2. Its public code starts the head's bias at -log(C - 1): Linear(bias="prior").
    """

    def __init__(self, task: Task, *, gamma: Weight = 1.0, scale: Positive = 1.0) -> None:
        super().__init__(task)
        self.gamma, self.scale = gamma, scale

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        z = self.scale * out.scores
        yes, no = F.logsigmoid(z), F.logsigmoid(-z)
        # (1 - q)^gamma in logarithms: the sigmoid of -z is that of the other answer.
        own = target * (self.gamma * no).exp() * yes
        other = (1 - target) * (self.gamma * yes).exp() * no
        return -(own + other).sum(1)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"gamma": trial.suggest_categorical("gamma", (0.5, 1.0, 2.0))}
