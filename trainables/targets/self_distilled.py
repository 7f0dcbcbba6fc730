"""Tf-KD self: the softmax of an earlier net of one's own kind (Yuan et al. 2020, section 5.1)."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.cross_entropy import CrossEntropy
from trainables.methods.method import Method
from trainables.settings import Use
from trainables.targets.one_hot import OneHot
from trainables.targets.targets import Mass, Targets

if TYPE_CHECKING:
    from trainables.model import Out, Task
    from trainables.trial import Trial


class SelfDistilled(Targets):
    """What the same net, trained before with cross-entropy and the same seed, says of the image.

    The teacher sees the augmented image that the student sees. Its distribution is not softened
    here: that is up to the loss (`Distillation`).
    """

    nothing_to_search = "has no settings: the temperature is the loss's"

    def __init__(self, task: "Task") -> None:
        super().__init__(task)
        # In a tuple, so that it is no module of this one: it is read anew, not checkpointed.
        self._teacher = (task.teacher(self.teacher(task.trial)),)

    @staticmethod
    def teacher(trial: "Trial") -> "Trial":
        """The trial by which the teacher is trained."""
        return trial.but(targets=Use(OneHot), loss=Use(CrossEntropy), method=Use(Method))

    @torch.no_grad()
    def forward(self, batch: Batch, out: "Out") -> Tensor:
        scores: Tensor = self._teacher[0](batch.x).scores
        return scores.softmax(1)

    @classmethod
    def mass(cls, **_: object) -> Mass:
        return "positive"
