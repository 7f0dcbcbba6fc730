"""Cosine: a linear layer with features and weights of length 1, as LDAM has it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.heads.head import Head
from trainables.heads.word_vectors import LEAST_NORM, cosine
from trainables.settings import Positive, Suggest
from trainables.task import Task


class Cosine(Head):
    """Scores are cos(f, w_c) / temperature, with f the features and w_c learned.

    The directions start uniform in a cube, as in LDAM's public code, which has the temperature in
    its loss.
    """

    def __init__(self, task: Task, features: int, *, temperature: Positive = 1.0) -> None:
        super().__init__(task, features)
        weight = torch.empty(task.classes, features).uniform_(-1, 1)
        self.weight = nn.Parameter(F.normalize(weight, dim=1))
        self.temperature = temperature

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return cosine(features, F.normalize(self.weight, dim=1, eps=LEAST_NORM))

    def scores(self, output: Tensor) -> Tensor:
        return output / self.temperature

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"temperature": trial.suggest_float("temperature", 0.01, 1, log=True)}
