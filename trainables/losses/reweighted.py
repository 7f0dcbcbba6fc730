"""Re-weighting: images of rare classes count more, from some moment of the training on."""

from typing import Annotated, Any, Literal

from torch import Tensor

from trainables.data.data import Batch
from trainables.labels.class_weights import Beta, Rule, class_weights
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.loss import Loss
from trainables.losses.wrapping import Wrapping
from trainables.settings import Interval, Of, Suggest, Use
from trainables.task import Out, Task


class Reweighted(Wrapping):
    """Any loss, each image's times the weight of its class by training images (`class_weights`).

    `start`: before this share of the training all weigh the same. 0.8 with LDAM is LDAM-DRW (Cao
    et al. 2019, section 3.3). `mean`: the batch's sum is divided by its images, as in the
    class-balanced loss (Cui et al. 2019, equation 4), or by their weights, as in LDAM's code.
    """

    weights: Tensor

    def __init__(
        self,
        task: Task,
        *,
        loss: Annotated[Use, Of(Loss)] = Use(CrossEntropy),
        rule: Rule = "inverse",
        beta: Beta = 0.9999,
        start: Annotated[float, Interval("[0, 1)")] = 0.0,
        mean: Literal["images", "weights"] = "images",
    ) -> None:
        super().__init__(task, loss)
        self.first, self.mean = start * task.recipe.epochs, mean  # first: an epoch, may be broken
        weights = class_weights(task.counts, rule, beta)
        self.register_buffer("weights", weights, persistent=False)  # follows from the data

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        losses: Tensor = self.loss(out, target, batch)
        if batch.epoch < self.first:
            return losses
        weights = self.weights[batch.y]
        if self.mean == "weights":
            weights = weights / weights.mean()
        return weights * losses

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        """The mean of weights is the batch's."""
        return settings["mean"] == "images" and super().splits(**settings)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "rule": trial.suggest_categorical("rule", ("inverse", "effective")),
            "start": trial.suggest_float("start", 0, 0.9),
        }
