"""OLS-Single: the soft label is what the net made of one other image (Zhang et al., TIP 2021)."""

from typing import Any, Literal

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.settings import Fraction, Suggest
from trainables.targets.online import bounded_log, log_mixed, mixed
from trainables.targets.targets import Mass, Targets
from trainables.task import Out, Task


class Classmates:
    """The images by their labels y (n,): which other image of a class each may be given."""

    def __init__(self, y: Tensor, classes: int) -> None:
        self.y, self.counts = y, torch.bincount(y, minlength=classes)
        self.order = y.argsort(stable=True)  # images of class 0, then of class 1, ...
        self.start = self.counts.cumsum(0) - self.counts  # (classes,), where each class begins
        self.rank = torch.empty_like(y)
        self.rank[self.order] = torch.arange(len(y), device=y.device)
        self.rank -= self.start[y]  # (n,), its place among those of its class

    def draw(self, index: Tensor, y: Tensor) -> Tensor:
        """For each image another one, at random, that is labelled as y (k,) says.

        A method may show an image with another label than its own. Where there is none, itself.
        """
        own = self.y[index] == y
        others = self.counts[y] - own.long()
        chosen = torch.rand(len(index), device=index.device) * others
        chosen = chosen.long().minimum((others - 1).clamp(min=0))
        chosen += own & (chosen >= self.rank[index])
        drawn = self.order[(self.start[y] + chosen).clamp(max=len(self.order) - 1)]
        return torch.where(others > 0, drawn, index)


def draw_within(y: Tensor) -> tuple[Tensor, Tensor]:
    """For each label of a batch the place of another equal one, at random, and if there is one."""
    equal = (y[:, None] == y).fill_diagonal_(False)
    place = torch.rand(equal.shape, device=y.device).where(equal, -1).argmax(1)
    return place, equal.any(1)


class OnlineSingle(Targets):
    """The label, mixed with a prediction for another image of its class, drawn anew each step.

    Predictions are made in training mode, right or wrong. `source`: "stored" are those of the
    epoch before, uniform in the first; "current" is made in this very step, of another image of the
    class in the batch, and stored only where the batch has none. It has no gradient in either case.
    """

    draws = True
    stored: Tensor
    latest: Tensor

    def __init__(
        self,
        task: Task,
        *,
        alpha: Fraction = 0.5,
        source: Literal["stored", "current"] = "stored",
    ) -> None:
        super().__init__(task)
        self.alpha, self.source = alpha, source
        self.classmates = Classmates(task.y, task.classes)
        uniform = torch.full((len(task.y), task.classes), 1 / task.classes)
        self.register_buffer("stored", uniform)
        self.register_buffer("latest", uniform.clone())  # an image that an epoch leaves out stays

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return mixed(batch.y, self._soft(batch, out), self.alpha)

    def log(self, batch: Batch, out: Out) -> Tensor:
        return log_mixed(batch.y, bounded_log(self._soft(batch, out)), self.alpha)

    def _soft(self, batch: Batch, out: Out) -> Tensor:
        """(n, classes): the predictions for the images drawn."""
        soft = self.stored[self.classmates.draw(batch.index, batch.y)]
        if self.source == "current":
            place, found = draw_within(batch.y)
            soft = torch.where(found[:, None], out.scores.detach().softmax(1)[place], soft)
        return soft

    def observe(self, batch: Batch, out: Out) -> None:
        self.latest[batch.index] = out.scores.softmax(1)

    def end_epoch(self) -> None:
        self.stored.copy_(self.latest)

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        return bool(settings["source"] == "stored")

    @classmethod
    def mass(cls, **settings: Any) -> Mass:
        return "positive" if settings["alpha"] < 1 else "distribution"

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0, 1),
            "source": trial.suggest_categorical("source", ("stored", "current")),
        }
