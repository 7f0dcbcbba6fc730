"""Self-paced learning: images of small loss first (Kumar et al., NeurIPS 2010)."""

from abc import abstractmethod
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.loss import Loss
from trainables.losses.wrapping import Wrapping
from trainables.settings import Invalid, Of, Share, Suggest, Use
from trainables.task import Out, Task

DECAY = 0.9  # of the moving average; the default of MentorNet's public code is 0.5


def easy(above: Tensor) -> Tensor:
    """v_i (n,): 1 where the loss is at most lambda, else 0; `above` is the loss less lambda."""
    # At lambda either is optimal. Where all losses are equal, as with prototypes at 0, all are in.
    return (above <= 0).float()


class Curriculum(Wrapping):
    """Any loss, each image's times a weight v_i by how far its loss to the label is above lambda.

    The label is the given one, whatever the targets are. lambda is a moving average, over the
    steps before, of a quantile of a batch's losses. In the first step it is the batch's own.
    """

    threshold: Tensor

    def __init__(self, task: Task, loss: Use) -> None:
        super().__init__(task, loss)
        self.classes = task.classes
        self.register_buffer("threshold", torch.tensor(torch.nan))  # lambda; NaN before any step

    @abstractmethod
    def share(self, epoch: int) -> float:
        """Of which share of the batch's losses lambda is the upper end."""

    @abstractmethod
    def weights(self, above: Tensor, epoch: int) -> Tensor:
        """v (n,) of images whose losses are so far above lambda."""

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        losses: Tensor = self.loss(out, target, batch)
        hardness = self._to_label(batch, out)
        threshold = self.threshold.where(~self.threshold.isnan(), self._quantile(hardness, batch))
        return self.weights(hardness - threshold, batch.epoch) * losses

    def observe(self, batch: Batch, out: Out) -> None:
        quantile = self._quantile(self._to_label(batch, out), batch)
        moved = self.threshold.lerp(quantile, 1 - DECAY)
        self.threshold.copy_(moved.where(~moved.isnan(), quantile))
        super().observe(batch, out)

    @torch.no_grad()
    def _to_label(self, batch: Batch, out: Out) -> Tensor:
        """(n,) the losses that images are chosen by."""
        label = F.one_hot(batch.y, self.classes).float()
        losses: Tensor = self.loss(out, label.log() if self.logarithmic else label, batch)
        return losses

    def _quantile(self, hardness: Tensor, batch: Batch) -> Tensor:
        return hardness.quantile(self.share(batch.epoch))

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        """The first step's lambda is a quantile of the batch."""
        return False

    @classmethod
    def check(cls, *, loss: Use, **_: object) -> None:
        if loss.part.needs(**dict(loss.items)) in ("none", "positive"):
            valid = "one that is finite to a label: images are chosen by their loss to it"
            raise Invalid(f"{cls.__name__}.loss = {loss!r}: must be {valid}")


class SelfPaced(Curriculum):
    """v_i = 1 for images whose loss is at most lambda, else 0; the mean is over all n images.

    lambda is the quantile that lets a share of the images in. It grows linearly from `share` in the
    first epoch to 1 at the share `full` of the training. From then on every image is in. Both are
    assumed; in MentorNet's public code for its comparison the share stays 0.7.
    """

    def __init__(
        self,
        task: Task,
        *,
        loss: Annotated[Use, Of(Loss)] = Use(CrossEntropy),
        share: Share = 0.5,
        full: Share = 0.8,
    ) -> None:
        super().__init__(task, loss)
        self.first, self.full = share, full * task.recipe.epochs  # full: an epoch, may be broken

    def share(self, epoch: int) -> float:
        return 1 - (1 - self.first) * max(0.0, 1 - epoch / self.full)

    def weights(self, above: Tensor, epoch: int) -> Tensor:
        return easy(above) if self.share(epoch) < 1 else torch.ones_like(above)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "share": trial.suggest_float("share", 0.2, 1),
            "full": trial.suggest_float("full", 0.2, 1),
        }
