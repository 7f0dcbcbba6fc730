"""PENCIL: label distributions that are learnt with the net (Yi and Wu, CVPR 2019)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.methods.method import Method, check_start
from trainables.model import Model
from trainables.recipe import Recipe
from trainables.settings import Invalid, Positive, Suggest, Use, Weight
from trainables.task import Task

DEMO = 40 / 320  # of the published epochs


def classification(scores: Tensor, labels: Tensor) -> Tensor:
    """L_c = KL(f || y^d) / C, the batch's mean, with f and y^d the softmax of both (n, C)."""
    log_f = scores.log_softmax(1)
    return (log_f.exp() * (log_f - labels.log_softmax(1))).mean()


def compatibility(labels: Tensor, y: Tensor, *, twice: bool = False) -> Tensor:
    """L_o = -log y^d_y, the batch's mean; `twice`: softmax is taken of y^d once more."""
    return F.cross_entropy(labels.softmax(1) if twice else labels, y)


def entropy(scores: Tensor) -> Tensor:
    """L_e = H(f) / C, the batch's mean."""
    log_f = scores.log_softmax(1)
    return -(log_f.exp() * log_f).mean()


class PENCIL(Method):
    """First as usual; then net and labels towards each other; then the net to the labels found.

    Up to epoch `stage1` cross-entropy to the given labels. Up to `stage2` the loss is
    L_c + alpha * L_o + beta * L_e, and each image's y~, which begins as `initial` (K) on its label,
    goes down its gradient, that of the batch's mean, at the rate `labels_lr` (lambda). Then L_c
    alone.

    The rate is the recipe's, so its schedule must be constant, and from `stage2` on `rise` times
    that, a tenth of it in the middle third, a hundredth in the last; `last_thirds` = "zero" is what
    the public code's rounding makes of them in Python 3. Thirds are that code's rule: over its 320
    epochs the rate falls every 40. Over others they stay thirds, not 40 epochs; one that ends
    inside an epoch ends with that epoch (the code rounds it down, and drops an epoch earlier).

    All defaults are of that code, for CIFAR-10 with the rates 0.06 and 0.2. It takes the softmax of
    y^d once more in L_o (`twice`), which the paper does not; but as printed y^d tends to
    f / C + alpha * label (normalised), so that no label changes where alpha > 1 / C. Targets and
    loss are PENCIL's own.
    """

    replaces = ("targets", "loss")

    labels: Tensor

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        stage1: Weight = 70.0,
        stage2: Weight = 200.0,
        alpha: Weight = 0.4,
        beta: Weight = 0.1,
        labels_lr: Positive = 600.0,
        initial: Positive = 10.0,
        rise: Positive = 0.2 / 0.06,
        last_thirds: Literal["tenths", "zero"] = "tenths",
        twice: bool = True,
    ) -> None:
        super().__init__(model, task)
        self.stage1, self.stage2, self.epochs = stage1, stage2, task.recipe.epochs
        self.alpha, self.beta, self.labels_lr = alpha, beta, labels_lr
        self.rise, self.last_thirds, self.twice = rise, last_thirds, twice
        self.register_buffer("labels", initial * F.one_hot(task.y, task.classes).float())

    @property
    def stage(self) -> int:
        """1, 2 or 3."""
        return 1 + (self.epoch >= self.stage1) + (self.epoch >= self.stage2)

    def lr(self, planned: float) -> float:
        if self.stage < 3:
            return planned
        third = int(3 * (self.epoch - self.stage2) / (self.epochs - self.stage2))
        share = 0.0 if third and self.last_thirds == "zero" else 0.1**third
        return planned * self.rise * share

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        if self.stage == 1:
            return super().update(batch, lr)
        labels = self.labels[batch.index].requires_grad_(self.stage == 2)
        out = self.model(batch.x)
        loss = classification(out.scores, labels)
        if self.stage == 2:
            loss = loss + self.alpha * compatibility(labels, batch.y, twice=self.twice)
            loss = loss + self.beta * entropy(out.scores)
        metrics = self.step(batch, out, loss, lr)
        if labels.grad is not None:
            with torch.no_grad():
                self.labels[batch.index] = labels - self.labels_lr * labels.grad
        return metrics

    @classmethod
    def check(cls, *, stage1: float, stage2: float, **_: object) -> None:
        if stage1 > stage2:
            raise Invalid(f"PENCIL.stage1 = {stage1}: must be at most stage2 = {stage2}")

    @classmethod
    def check_recipe(cls, recipe: Recipe, *, stage2: float, **_: object) -> None:
        check_start(recipe, f"{cls.__name__}.stage2", stage2)
        if recipe.schedule != "constant":
            valid = "constant: PENCIL changes the rate by its stages"
            raise Invalid(f"recipe.schedule = {recipe.schedule}: must be {valid}")

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0.01, 1, log=True),
            "beta": trial.suggest_float("beta", 0.01, 1, log=True),
            "labels_lr": trial.suggest_float("labels_lr", 100, 5000, log=True),
        }

    @classmethod
    def demo(cls, use: Use) -> Use:
        """Stages in proportion. As many images fewer are in a batch as epochs in a stage: with the
        same rate of its own, a label goes as far.
        """
        return use.but(stage1=use["stage1"] * DEMO, stage2=use["stage2"] * DEMO)
