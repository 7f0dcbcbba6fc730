"""Prototypes: a point a class, scored by squared distance (Yang et al. 2018, Snell et al. 2017)."""

import torch
from torch import Tensor, nn

from trainables.heads.head import Head
from trainables.settings import Positive, Suggest
from trainables.task import Task


def squared_distances(points: Tensor, others: Tensor) -> Tensor:
    """(n, m): of each point (n, d) to each other one (m, d); in float32."""
    points, others = points.float(), others.float()
    with torch.autocast(points.device.type, enabled=False):
        inner = points @ others.T
    lengths = points.square().sum(1)[:, None] + others.square().sum(1)
    return (lengths - 2 * inner).clamp(min=0)


class Prototypes(Head):
    """Emits ||f - m_c||^2; scores are -gamma times that. The prototypes m_c are learned.

    They start at 0, which the papers leave open.
    """

    emits_distances = True

    def __init__(self, task: Task, features: int, *, gamma: Positive = 1.0) -> None:
        super().__init__(task, features)
        self.prototypes = nn.Parameter(torch.zeros(task.classes, features))
        self.gamma = gamma

    def forward(self, features: Tensor) -> Tensor:
        return squared_distances(features, self.prototypes)

    def scores(self, output: Tensor) -> Tensor:
        return -self.gamma * output

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"gamma": trial.suggest_float("gamma", 0.01, 10, log=True)}
