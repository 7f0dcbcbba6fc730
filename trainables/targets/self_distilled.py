"""Tf-KD self: the softmax of an earlier net of one's own kind (Yuan et al. 2020, section 5.1)."""

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.targets.targets import Mass, Targets
from trainables.task import Changes, Out, Task


class SelfDistilled(Targets):
    """What the same net, trained before with cross-entropy and the same seed, says of the image.

    The teacher sees the augmented image that the student sees. Its distribution is not softened
    here: that is up to the loss (`Distillation`).
    """

    nothing_to_search = "has no settings: the temperature is the loss's"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        # In a tuple, so that it is no module of this one: it is read anew, not checkpointed.
        self._teacher = (task.teacher(self.teacher()),)

    @classmethod
    def teacher(cls) -> Changes:
        """The teacher is trained as usual, with cross-entropy to the label."""
        return {"targets": None, "loss": None, "method": None}

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return self._scores(batch).softmax(1)

    def log(self, batch: Batch, out: Out) -> Tensor:
        return self._scores(batch).log_softmax(1)

    @torch.no_grad()
    def _scores(self, batch: Batch) -> Tensor:
        """(n, classes), of the teacher."""
        scores: Tensor = self._teacher[0](batch.x).scores
        return scores

    @classmethod
    def mass(cls, **_: object) -> Mass:
        return "positive"
