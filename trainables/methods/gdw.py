"""GDW: the gradient of each score is weighed by image and class (Chen et al., NeurIPS 2021)."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.methods.meta_learned import (
    Advice,
    Advised,
    Bilevel,
    Gradient,
    Layers,
    Precision,
)
from trainables.methods.mw_net import weighing_net
from trainables.model import Model
from trainables.settings import Count, Positive, Suggest, Weight
from trainables.task import Task

MOST_SURE = 0.999  # probability of the label, as in the public code
LEAST, MOST = 1e-6, 1e6  # weights


def zero_mean(weights: Tensor, p: Tensor, label: Tensor) -> Tensor:
    """Weights (n, classes) with that of the label such that sum_j w_j (p_j - y_j) = 0.

    `p` and the one-hot `label` are (n, classes). So a step moves no image's scores all one way.
    """
    others = (weights * p * (1 - label)).sum(1, keepdim=True)
    rest = 1 - (p * label).sum(1, keepdim=True).clamp(max=MOST_SURE)
    return torch.where(label > 0, others / rest, weights)


class GDW(Advised):
    """The slope p_j - y_j of the cross-entropy by each score is multiplied by w_j.

    All classes of an image begin a step with the weight that MW-Net's net gives to its loss. The
    meta step changes that net by Adam, and the weights w themselves: w - clip(rate * g / sum |g|)
    to +- `clip`, g the hyper-gradient by w, the sum over batch and classes. The actual step is
    weighed by these. `zero_mean` holds for virtual and actual step.

    Constants are those of the public code, whose `rate` is 100 for CIFAR-10, 1000 for CIFAR-100.
    The logged loss is the cross-entropy without weights.
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        hidden: Count = 100,
        lr: Positive = 1e-3,
        weight_decay: Weight = 1e-4,
        rate: Positive = 100.0,
        clip: Positive = 0.2,
        gradient: Gradient = "forward",
        precision: Precision = "float32",
        layers: Layers = None,
        noted: bool = False,
    ) -> None:
        how = Bilevel(gradient, precision, layers, noted)
        super().__init__(
            model, task, partial(weighing_net, hidden), how, lr=lr, weight_decay=weight_decay
        )
        self.rate, self.clip = rate, clip
        self.classes = task.classes
        self.offset = torch.empty(0)
        self.given = torch.empty(0)  # the weights that the step began with
        self.weights: Tensor | None = None  # of the step, once the meta step has been made

    def begin(self, y: Tensor) -> Sequence[Tensor]:
        self.weights = None
        self.offset = torch.zeros(len(y), self.classes, device=y.device, requires_grad=True)
        return [*super().begin(y), self.offset]

    def advise(self, features: Tensor, losses: Tensor) -> Advice:
        if self.weights is not None:
            return (self.weights,)
        weights = self.net(losses[:, None]) + self.offset
        self.given = weights.detach()
        return (weights,)

    def weighted(self, features: Tensor, y: Tensor, advice: Advice) -> Tensor:
        scores = self.scores(features)
        label = F.one_hot(y, self.classes).to(scores.dtype)
        p = scores.detach().softmax(1)
        slope = zero_mean(advice[0], p, label) * (p - label)
        moved = (scores * slope).sum() / len(y)
        return F.cross_entropy(scores.detach(), y) + moved - moved.detach()

    def learn(self, gradient: Sequence[Tensor]) -> None:
        *of_net, g = gradient
        super().learn(of_net)
        total = g.abs().sum()
        change = (self.rate * g / (total + (total == 0))).clamp(-self.clip, self.clip)
        self.weights = (self.given - change).clamp(LEAST, MOST)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "lr": trial.suggest_float("lr", 1e-5, 1e-2, log=True),
            "rate": trial.suggest_float("rate", 10, 10_000, log=True),
        }
