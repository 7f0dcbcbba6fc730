"""Distillation: towards the label and towards a softened teacher (Hinton et al. 2015)."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.knowledge import divergence
from trainables.losses.loss import Loss
from trainables.settings import Fraction, Positive, Suggest
from trainables.targets.targets import Mass
from trainables.task import Out, Task


class Distillation(Loss):
    """(1 - alpha) * CE(label) + alpha * factor * KL(t || p), with t the target at `temperature`.

    As in Tf-KD (Yuan et al. 2020, equations 8 and 10) `factor` is 1 and the net's p is softened,
    too. The public code of Tf-KD reg leaves p as it is (`soften_net=False`) and divides by the
    classes what it multiplies by 100; that of Tf-KD self multiplies by the squared temperature.
    """

    logarithmic = True

    def __init__(
        self,
        task: Task,
        *,
        alpha: Fraction = 0.1,
        temperature: Positive = 20.0,
        factor: Positive = 1.0,
        soften_net: bool = True,
    ) -> None:
        super().__init__(task)
        self.alpha, self.factor = alpha, factor
        self.temperature, self.soften_net = temperature, soften_net

    def forward(self, out: Out, log_target: Tensor, batch: Batch) -> Tensor:
        log_t = F.log_softmax(log_target / self.temperature, dim=1)
        scores = out.scores / self.temperature if self.soften_net else out.scores
        apart = divergence(log_t, F.log_softmax(scores, dim=1))
        label = F.cross_entropy(out.scores, batch.y, reduction="none")
        return (1 - self.alpha) * label + self.alpha * self.factor * apart

    @classmethod
    def needs(cls, **_: object) -> Mass:
        return "distribution"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0, 1),
            "temperature": trial.suggest_float("temperature", 1, 40, log=True),
        }
