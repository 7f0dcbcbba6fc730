"""Labels corrected by how their losses are distributed (Arazo et al., ICML 2019)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Beta

from trainables.data.data import Batch
from trainables.methods.method import Method, Sweep, check_start
from trainables.model import Model
from trainables.recipe import Recipe
from trainables.settings import Suggest, Use, Weight
from trainables.task import Task

DEMO = 40 / 300  # of the published epochs
EDGE = 1e-4  # beta densities are not finite at 0 and 1
LEAST_VARIANCE = 1e-8
LEAST_RANGE = 1e-6
PLACES = 100  # at which the posterior is tabulated


@dataclass(frozen=True)
class BetaMixture:
    """Two weighted beta distributions on (0, 1): of clean images, and of those labelled wrongly."""

    alpha: Tensor  # (2,), float64
    beta: Tensor
    weight: Tensor

    def posterior(self, x: Tensor) -> Tensor:
        """(2, n): how likely each of x (n,) is of either component."""
        x = x.double().clamp(EDGE, 1 - EDGE)
        a, b = self.alpha[:, None], self.beta[:, None]
        norm = a.lgamma() + b.lgamma() - (a + b).lgamma()
        density = (a - 1) * x.log() + (b - 1) * (1 - x).log() - norm
        return (density + self.weight.log()[:, None]).softmax(0)


def fit_beta_mixture(losses: Tensor, iterations: int = 10) -> BetaMixture:
    """Expectation maximisation on losses (n,) between 0 and 1; the M-step matches moments.

    It starts from Beta(1, 2) and Beta(2, 1), equally weighted.
    """
    x = losses.double().clamp(EDGE, 1 - EDGE)
    mixture = BetaMixture(x.new_tensor([1, 2]), x.new_tensor([2, 1]), x.new_tensor([0.5, 0.5]))
    for _ in range(iterations):
        share = mixture.posterior(x)
        total = share.sum(1)
        mean = (share * x).sum(1) / total
        variance = (share * (x - mean[:, None]) ** 2).sum(1) / total
        alpha = mean * (mean * (1 - mean) / variance.clamp(min=LEAST_VARIANCE) - 1)
        mixture = BetaMixture(alpha, alpha * (1 - mean) / mean, total / len(x))
    return mixture


def wrong_by_loss(mixture: BetaMixture) -> Tensor:
    """(PLACES,): the second component's posterior at losses from 0 to 1.

    Past its maximum it stays there, as in the public code: where both densities vanish, the greater
    loss would else be the cleaner one.
    """
    places = torch.linspace(0, 1, PLACES, device=mixture.alpha.device)
    table = mixture.posterior(places)[1].float()
    top = table.argmax()
    return torch.where(torch.arange(PLACES, device=table.device) >= top, table.max(), table)


def towards_uniform(scores: Tensor) -> Tensor:
    """KL(uniform || h), with h the mean prediction of the batch, scores (n, classes)."""
    n, classes = scores.shape
    log_h = scores.log_softmax(1).logsumexp(0) - math.log(n)
    return -log_h.mean() - math.log(classes)


class Arazo(Method):
    """Mixup; after `start` epochs the label is mixed with the prediction, as its loss bids (M-DYR).

    Before each epoch from `start` on, a beta mixture is fitted to the losses of the training
    images, in evaluation mode, between their 5th and 95th percentile and scaled to 0 .. 1. In a
    step the target of an image is (1 - w) * label + w * z, where w is the posterior that its loss
    now, again in evaluation mode, is of the component of wrong labels, and z the prediction of the
    image before it was mixed, in training mode: its class (`guess` = "hard", M-DYR-H) or its
    probabilities ("soft", M-DYR-S). Both images' targets are weighted as the images in the
    mixture, by a share of Beta(mixup, mixup); 0 mixes none. `regulariser` weighs the divergence of
    the batch's mean prediction from the uniform one.

    Defaults are those of the public code for CIFAR, with 300 epochs. Its soft variant halves both
    targets whatever the images' shares; here the shares are the paper's in both. Targets and loss
    are its own.
    """

    replaces = ("targets", "loss")

    table: Tensor
    range: Tensor

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        start: Weight = 105.0,
        guess: Literal["hard", "soft"] = "hard",
        mixup: Weight = 32.0,
        regulariser: Weight = 1.0,
    ) -> None:
        super().__init__(model, task)
        self.start, self.guess, self.mixup, self.regulariser = start, guess, mixup, regulariser
        self.classes = task.classes
        self.register_buffer("table", torch.full((PLACES,), 0.5, device=task.device))
        self.register_buffer("range", torch.tensor([0.0, 1.0], device=task.device))

    def start_epoch(self, epoch: int, sweep: Sweep) -> None:
        super().start_epoch(epoch, sweep)
        if epoch < self.start:
            return
        losses = torch.cat([self._losses(batch) for batch in sweep()])
        self.range.copy_(losses.quantile(losses.new_tensor([0.05, 0.95])))
        low, high = self.range.unbind()
        kept = losses[(losses >= low) & (losses <= high)]
        self.table.copy_(wrong_by_loss(fit_beta_mixture(self._scaled(kept))))

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        corrects = self.epoch >= self.start
        label = F.one_hot(batch.y, self.classes).float()
        target = self._corrected(batch) if corrects else label
        share = float(Beta(self.mixup, self.mixup).sample()) if self.mixup else 1.0
        order = torch.randperm(len(batch.y), device=batch.x.device)
        out = self.model(share * batch.x + (1 - share) * batch.x[order])
        loss = F.cross_entropy(out.scores, share * target + (1 - share) * target[order])
        if corrects:
            loss = loss + self.regulariser * towards_uniform(out.scores)
        return self.step(batch, out, loss, lr)

    @torch.no_grad()
    def _corrected(self, batch: Batch) -> Tensor:
        """(n, classes)"""
        scores = self.model(batch.x).scores
        hard = F.one_hot(scores.argmax(1), self.classes)
        guess = hard if self.guess == "hard" else scores.softmax(1)
        self.model.eval()
        place = (self._scaled(self._losses(batch)) * PLACES).long().clamp(0, PLACES - 1)
        self.model.train()
        wrong = self.table[place][:, None]
        return (1 - wrong) * F.one_hot(batch.y, self.classes) + wrong * guess

    def _losses(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self.model(batch.x).scores, batch.y, reduction="none")

    def _scaled(self, losses: Tensor) -> Tensor:
        low, high = self.range.unbind()
        return (losses - low) / (high - low).clamp(min=LEAST_RANGE)

    @classmethod
    def check_recipe(cls, recipe: Recipe, *, start: float, **_: object) -> None:
        check_start(recipe, f"{cls.__name__}.start", start)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "guess": trial.suggest_categorical("guess", ("hard", "soft")),
            "mixup": trial.suggest_float("mixup", 0.1, 64, log=True),
            "regulariser": trial.suggest_float("regulariser", 0, 2),
        }

    @classmethod
    def demo(cls, use: Use) -> Use:
        """The start in proportion."""
        return use.but(start=use["start"] * DEMO)
