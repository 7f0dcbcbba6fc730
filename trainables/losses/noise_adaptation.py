"""S-Model: a noise adaptation layer behind the softmax (Goldberger & Ben-Reuven, ICLR 2017)."""

from typing import Annotated

import torch
from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Interval, Suggest
from trainables.task import Out, Task


def log_noisy(scores: Tensor, b: Tensor) -> Tensor:
    """(n, classes) log p(z_noisy = j | x) = log sum_i theta_ij p(i | x), theta_i = softmax(b_i)."""
    return (scores.log_softmax(1)[:, :, None] + b.log_softmax(1)).logsumexp(1)


class NoiseAdaptation(Loss):
    """-sum_j t_j log p(z_noisy = j | x): to a label y it is -log p(z_noisy = y | x).

    p(i | x) is the softmax of the scores, and prediction is by the scores alone. b is trained with
    the net, by its optimizer; weight decay draws theta towards uniform. It starts as the logarithm
    of 1 - eps on the diagonal and eps / (classes - 1) elsewhere. The paper starts from a trained
    net's confusion matrix, and offers this for training at once. The value of eps is assumed.
    """

    def __init__(self, task: Task, *, eps: Annotated[float, Interval("(0, 1)")] = 0.1) -> None:
        super().__init__(task)
        theta = torch.full((task.classes, task.classes), eps / (task.classes - 1))
        self.b = nn.Parameter(theta.fill_diagonal_(1 - eps).log())

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return -(target * log_noisy(out.scores, self.b)).sum(1)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"eps": trial.suggest_float("eps", 0.01, 0.5, log=True)}
