"""Online label smoothing: soft labels from the net's own predictions (Zhang et al., TIP 2021)."""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.recipe import Recipe
from trainables.settings import Count, Fraction, Invalid, Suggest, Use
from trainables.targets.targets import Mass, Targets
from trainables.task import Out, Task

LEAST_LOG = -149 * math.log(2)  # of the smallest number above 0 in float32


def mixed(y: Tensor, soft: Tensor, alpha: float) -> Tensor:
    """alpha on the label and 1 - alpha spread as `soft` (n, classes) has it.

    Cross-entropy is linear in its target, so that cross-entropy to this is equation 4,
    L = alpha * CE + (1 - alpha) * L_soft.
    """
    return alpha * F.one_hot(y, soft.shape[1]) + (1 - alpha) * soft


def log_mixed(y: Tensor, log_soft: Tensor, alpha: float) -> Tensor:
    """The logarithms of `mixed`, from those of `soft`."""
    on_label, elsewhere = (math.log(w) if w else -math.inf for w in (alpha, 1 - alpha))
    rest = log_soft + elsewhere
    label = F.one_hot(y, rest.shape[1]).bool()
    return torch.where(label, torch.logaddexp(rest, rest.new_full((), on_label)), rest)


def bounded_log(soft: Tensor) -> Tensor:
    """The logarithms of probabilities that are stored as such: of 0 that of float32's least."""
    return soft.log().clamp(min=LEAST_LOG)


def correct_sums(y: Tensor, scores: Tensor) -> Tensor:
    """(classes, classes): for each label the sum of p over its images that p classifies correctly.

    What equation 5 adds to S; a label here is a row, not the paper's column.
    """
    right = scores.argmax(1) == y
    p = scores.softmax(1) * right[:, None]
    # A product, since on GPUs the order in which index_add_ adds differs from run to run.
    return F.one_hot(y, scores.shape[1]).to(p.dtype).T @ p


def normalised(sums: Tensor) -> Tensor:
    """S (classes, classes), each row divided by its sum (equation 6); a row of zeros is uniform."""
    total = sums.sum(1, keepdim=True)
    return torch.where(total > 0, sums / total, 1 / sums.shape[1])


class Online(Targets):
    """The label, mixed with what the net made of the images of its class in the period before.

    S adds up the probabilities in training mode, before the step, of the correctly classified
    images. A `period` of epochs or iterations later it becomes the soft label, and begins anew.
    `start`: the soft label of the first period is uniform, as in the paper, or "zero", as in the
    public CIFAR script: then the loss of that period is alpha * CE.
    """

    soft: Tensor
    sums: Tensor

    def __init__(
        self,
        task: Task,
        *,
        alpha: Fraction = 0.5,
        period: Count = 1,
        unit: Literal["epochs", "iterations"] = "epochs",
        start: Literal["uniform", "zero"] = "uniform",
    ) -> None:
        super().__init__(task)
        self.alpha, self.period, self.unit = alpha, period, unit
        if unit == "iterations":
            self._check_length(period, task.recipe.epochs * task.steps, unit)
        zeros = torch.zeros(task.classes, task.classes)
        self.register_buffer("soft", normalised(zeros) if start == "uniform" else zeros)
        self.register_buffer("sums", zeros.clone())
        self.elapsed = 0  # of the period; a number of Python's, since a tensor would be waited for

    @classmethod
    def _check_length(cls, period: int, most: int, unit: str) -> None:
        if period > most:
            valid = f"at most {most}, the {unit} of the whole training"
            raise Invalid(f"{cls.__name__}.period = {period}: must be {valid}")

    @classmethod
    def check_recipe(cls, recipe: Recipe, *, period: int, unit: str, **_: object) -> None:
        """How many iterations there are is known with the data only."""
        if unit == "epochs":
            cls._check_length(period, recipe.epochs, unit)

    @classmethod
    def mass(cls, **settings: Any) -> Mass:
        if settings["alpha"] == 1:
            return "distribution"
        return "partial" if settings["start"] == "zero" else "positive"

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return mixed(batch.y, self.soft[batch.y], self.alpha)

    def log(self, batch: Batch, out: Out) -> Tensor:
        return log_mixed(batch.y, bounded_log(self.soft[batch.y]), self.alpha)

    def observe(self, batch: Batch, out: Out) -> None:
        self.sums += correct_sums(batch.y, out.scores)
        if self.unit == "iterations":
            self._advance()

    def end_epoch(self) -> None:
        if self.unit == "epochs":
            self._advance()

    def _advance(self) -> None:
        self.elapsed += 1
        if self.elapsed == self.period:
            self.soft.copy_(normalised(self.sums))
            self.sums.zero_()
            self.elapsed = 0

    def get_extra_state(self) -> int:
        return self.elapsed

    def set_extra_state(self, state: int) -> None:
        self.elapsed = state

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0, 1),
            "period": trial.suggest_int("period", 1, 3),
        }

    @classmethod
    def demo(cls, use: Use) -> Use:
        """The same share of an epoch, which has 10 iterations there, and 391 on CIFAR."""
        short = -(-use["period"] * 10 // 391)
        return use.but(period=short) if use["unit"] == "iterations" else use
