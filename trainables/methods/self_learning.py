"""Self-learning from noisy labels with several prototypes a class (Han et al., ICCV 2019, SMP)."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.methods.method import Method, Sweep, check_start
from trainables.model import Model
from trainables.recipe import Recipe
from trainables.seeding import generator
from trainables.settings import Count, Fraction, Suggest, Use, Weight
from trainables.task import Task

DEMO = 40 / 300  # of the epochs of training


def density(similarity: Tensor, rank: float) -> Tensor:
    """rho_i = sum_j sign(S_ij - S_c) of S (n, n); S_c is that share of all S from the smallest."""
    values = similarity.flatten().sort().values
    threshold = values[min(int(rank * len(values)), len(values) - 1)]
    return (similarity - threshold).sign().sum(1)


def closeness(similarity: Tensor, rho: Tensor) -> Tensor:
    """eta_i: the similarity to the most similar denser image; of the densest the least to any."""
    denser = rho > rho[:, None]
    closest = similarity.where(denser, -torch.inf).max(1).values
    return torch.where(denser.any(1), closest, similarity.min(1).values)


def prototypes(similarity: Tensor, p: int, rank: float, limit: float) -> Tensor:
    """(at most p,) the places of the densest images of those whose eta is below `limit`.

    Where these are fewer than p, the densest of the others follow.
    """
    rho = density(similarity, rank)
    similar = closeness(similarity, rho) >= limit
    order = rho.argsort(descending=True, stable=True)
    return order[similar[order].int().argsort(stable=True)][:p]


class SelfLearning(Method):
    """(1 - alpha) * the loss with the given label + alpha * that with a corrected one.

    Before each epoch from `start` on the features of all training images are taken, in evaluation
    mode. Of each class p prototypes are chosen among m images that are labelled so, drawn at random
    anew: the densest by cosine similarity (eq. 4) that are not alike (eq. 5), eta < `limit`. The
    corrected label of an image is the class with the greatest mean similarity to its prototypes
    (eq. 6). Before `start`, and of a class without images, there is none.

    Any targets and loss may stand beside it: they are asked twice. m, p, alpha, `rank` (of S_c) and
    `limit` are the paper's. For CIFAR it has no start: after a third of 300 epochs is assumed. No
    public code of the authors is known.
    """

    corrected: Tensor

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        start: Weight = 100.0,
        alpha: Fraction = 0.5,
        m: Count = 1280,
        p: Count = 8,
        rank: Fraction = 0.4,
        limit: Fraction = 0.95,
    ) -> None:
        super().__init__(model, task)
        self.start, self.alpha, self.m, self.p = start, alpha, m, p
        self.rank, self.limit = rank, limit
        self.task = task
        self.register_buffer("corrected", task.y.clone())

    def start_epoch(self, epoch: int, sweep: Sweep) -> None:
        super().start_epoch(epoch, sweep)
        if epoch >= self.start:
            features = torch.cat([self.model(batch.x).features.float() for batch in sweep()])
            self.corrected.copy_(self._correct(F.normalize(features)))

    def _correct(self, features: Tensor) -> Tensor:
        """(n,) from normalised features (n, F)."""
        chance = generator(self.task.seed, "prototypes", self.epoch)
        means = []
        for label in range(self.task.classes):
            mine = (self.task.y == label).nonzero()[:, 0]
            drawn = torch.randperm(len(mine), generator=chance)[: self.m]
            sample = features[mine[drawn.to(mine.device)]]
            if len(sample) == 0:
                means.append(features.new_full((len(features),), -torch.inf))
                continue
            chosen = prototypes(sample @ sample.T, self.p, self.rank, self.limit)
            # The mean of similarities is the similarity to the mean: cosine is linear in each.
            means.append(features @ sample[chosen].mean(0))
        return torch.stack(means).argmax(0)

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        if self.epoch < self.start:
            return super().update(batch, lr)
        out = self.model(batch.x)
        given = self.model.objective(batch, out)
        corrected = replace(batch, y=self.corrected[batch.index])
        loss = (1 - self.alpha) * given + self.alpha * self.model.objective(corrected, out)
        return self.step(batch, out, loss.mean(), lr)

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        return True

    @classmethod
    def check_recipe(cls, recipe: Recipe, *, start: float, **_: object) -> None:
        check_start(recipe, f"{cls.__name__}.start", start)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0, 1),
            "p": trial.suggest_int("p", 1, 16),
        }

    @classmethod
    def demo(cls, use: Use) -> Use:
        """The start in proportion."""
        return use.but(start=use["start"] * DEMO)
