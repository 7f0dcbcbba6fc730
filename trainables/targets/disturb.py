"""DisturbLabel: in every step some labels are replaced at random (Xie et al., CVPR 2016)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.settings import Fraction, Suggest
from trainables.targets.targets import Targets
from trainables.task import Out, Task


def disturbed(y: Tensor, classes: int, rate: float) -> Tensor:
    """(n,) labels, each drawn anew from all classes with probability `rate`.

    Its own class may come again: it stays with probability 1 - rate * (classes - 1) / classes, and
    becomes any other with rate / classes.
    """
    fresh = torch.randint(classes, y.shape, device=y.device)
    return fresh.where(torch.rand(y.shape, device=y.device) < rate, y)


class Disturb(Targets):
    """All mass on the label, or on another in its place. `rate` is the paper's alpha."""

    draws = True

    def __init__(self, task: Task, *, rate: Fraction = 0.1) -> None:
        super().__init__(task)
        self.rate = rate

    def forward(self, batch: Batch, out: Out) -> Tensor:
        classes = self.task.classes
        return F.one_hot(disturbed(batch.y, classes, self.rate), classes).float()

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"rate": trial.suggest_float("rate", 0.01, 0.4)}
