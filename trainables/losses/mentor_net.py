"""MentorNet PD: the predefined curriculum in closed form (Jiang et al., ICML 2018)."""

from typing import Annotated

import torch
from torch import Tensor

from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.loss import Loss
from trainables.losses.self_paced import Curriculum, easy
from trainables.settings import Fraction, Interval, Of, Suggest, Use, Weight
from trainables.task import Task


def predefined(above: Tensor, lambda2: float) -> Tensor:
    """v_i = min(max(0, 1 - (l_i - lambda1) / lambda2), 1) (n,); `above` is l - lambda1.

    Where lambda2 = 0 it is 1(l_i <= lambda1).
    """
    return (1 - above / lambda2).clamp(0, 1) if lambda2 else easy(above)


class MentorNet(Curriculum):
    """The optimal v of the predefined curriculum, not the learned net that imitates it.

    lambda1 is the moving average of the `percentile` of a batch's losses. In the first `burn_in`
    share of the training all images weigh 1 here; the public code drops some at random. There
    lambda2 is 0 up to 0.9 of the training and 1 after; here it is one value, and assumed.
    `percentile` is that code's for 0.2 and 0.4 of wrong labels. The mean is over all n images.
    """

    def __init__(
        self,
        task: Task,
        *,
        loss: Annotated[Use, Of(Loss)] = Use(CrossEntropy),
        percentile: Fraction = 0.75,
        lambda2: Weight = 1.0,
        burn_in: Annotated[float, Interval("[0, 1)")] = 0.2,
    ) -> None:
        super().__init__(task, loss)
        self.percentile, self.lambda2 = percentile, lambda2
        self.first = burn_in * task.recipe.epochs  # an epoch, may be broken

    def share(self, epoch: int) -> float:
        return self.percentile

    def weights(self, above: Tensor, epoch: int) -> Tensor:
        in_burn_in = epoch < self.first
        return torch.ones_like(above) if in_burn_in else predefined(above, self.lambda2)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "percentile": trial.suggest_float("percentile", 0.5, 0.95),
            "lambda2": trial.suggest_float("lambda2", 0, 2),
            "burn_in": trial.suggest_float("burn_in", 0, 0.5),
        }
