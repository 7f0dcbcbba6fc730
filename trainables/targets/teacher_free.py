"""Tf-KD reg: a teacher made by hand, right with probability a (Yuan et al. 2020; `ols` eq. 9)."""

import math
from typing import Annotated, Literal

from torch import Tensor

from trainables.data.data import Batch
from trainables.settings import Interval, Suggest
from trainables.targets.one_hot import on_label
from trainables.targets.targets import Mass, Targets
from trainables.task import Out, Task


def virtual_teacher(y: Tensor, classes: int, correct: float) -> Tensor:
    """Distributions (n, classes): `correct` at the label, the others share the rest."""
    return on_label(y, classes, correct, (1 - correct) / (classes - 1))


def log_virtual_teacher(y: Tensor, classes: int, correct: float) -> Tensor:
    """The logarithms of `virtual_teacher`."""
    rest = math.log1p(-correct) - math.log(classes - 1)
    return on_label(y, classes, math.log(correct), rest)


class TeacherFree(Targets):
    """The label, with `correct` (the paper's a, at least 0.9) of the probability.

    `logits`: what the loss's temperature divides. "log" softens the distribution, as in the paper;
    "probabilities" takes the distribution itself for logits, as the public code does, which at
    temperature 20 leaves next to nothing but the uniform distribution.
    """

    def __init__(
        self,
        task: Task,
        *,
        correct: Annotated[float, Interval("(0, 1)")] = 0.99,
        logits: Literal["log", "probabilities"] = "log",
    ) -> None:
        super().__init__(task)
        self.correct, self.logits = correct, logits

    def forward(self, batch: Batch, out: Out) -> Tensor:
        teacher = virtual_teacher(batch.y, self.task.classes, self.correct)
        return teacher if self.logits == "log" else teacher.softmax(1)

    def log(self, batch: Batch, out: Out) -> Tensor:
        settings = batch.y, self.task.classes, self.correct
        if self.logits == "log":
            return log_virtual_teacher(*settings)
        return virtual_teacher(*settings).log_softmax(1)

    @classmethod
    def mass(cls, **_: object) -> Mass:
        return "positive"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"correct": trial.suggest_float("correct", 0.9, 0.999)}
