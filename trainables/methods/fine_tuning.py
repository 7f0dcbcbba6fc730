"""Fine-tuning on clean images at the end of an ordinary training."""

from typing import Annotated

from torch import Tensor

from trainables.data.data import Batch
from trainables.methods.method import Method, last_stage
from trainables.model import Model
from trainables.settings import Interval, Suggest
from trainables.task import Task


class FineTuning(Method):
    """From the share `start` of the training on, each step is on images of the meta-set.

    A baseline of MW-Net (Shu et al. 2019, section 4.1), which prints neither length nor rate. Here
    the rate is the one that the recipe plans, and 0.8 is the first milestone of 160 in 200 epochs.
    """

    meta = True
    replaces = ("targets",)  # some note what they have seen of each training image

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        start: Annotated[float, Interval("[0, 1)")] = 0.8,
    ) -> None:
        super().__init__(model, task)
        self.first = last_stage(start, task.recipe.epochs)

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        if self.epoch < self.first:
            return super().update(batch, lr)
        assert batch.meta is not None, "its trials have a meta-set"
        return super().update(batch.meta, lr)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"start": trial.suggest_float("start", 0.5, 0.99)}
