"""LDAM: margins that are larger for rare classes (Cao et al., NeurIPS 2019)."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Positive, Suggest, Weight
from trainables.task import Out, Task


def margins(counts: Tensor, largest: float) -> Tensor:
    """(classes,): proportional to n_c^(-1/4), `largest` for the rarest class that has images."""
    n = counts.double()
    rarest = n[n > 0].min()
    return (largest * (rarest / n.clamp(min=rarest)) ** 0.25).float()


class LDAM(Loss):
    """Cross-entropy of scale * (z - margin_y at y) (equation 13), z cosines: head Cosine.

    `margin` is that of the rarest class; it and `scale` are those of the public code. With
    Reweighted from 0.8 of the training on it is LDAM-DRW.
    """

    margins: Tensor

    def __init__(self, task: Task, *, margin: Weight = 0.5, scale: Positive = 30.0) -> None:
        super().__init__(task)
        self.scale = scale
        own = margins(task.counts, margin)
        self.register_buffer("margins", own, persistent=False)  # follows from the data

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        y = batch.y[:, None]
        lowered = out.scores.scatter_add(1, y, -self.margins[y])
        return F.cross_entropy(self.scale * lowered, target, reduction="none")

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "margin": trial.suggest_float("margin", 0.1, 1),
            "scale": trial.suggest_float("scale", 5, 60, log=True),
        }
