"""Advisor networks: MFRW, MES and MFRW-MES (Ricci et al., ACM TOMM 2023)."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.losses.equalization import FALL, SHIFT, THRESHOLD, equalised, gompertz
from trainables.methods.meta_learned import Advice, Advised, Bilevel, Gradient, Layers, Precision
from trainables.methods.method import Sweep
from trainables.model import Model
from trainables.settings import Count, Fraction, Positive, Suggest
from trainables.task import Task

SHOWN, OF_EACH = 500, 24  # images whose W_f is kept: in all, or of each class if that is more


def first_of_each(y: Tensor, most: int) -> Tensor:
    """The places of the first images of each class in labels (n,), at most so many; ascending."""
    order = y.argsort(stable=True)
    counts = torch.bincount(y)
    starts = counts.cumsum(0) - counts
    rank = torch.arange(len(y), device=y.device) - starts[y[order]]
    return order[rank < most].sort().values


class AdvisorNet(nn.Module):
    """From features (n, d) and losses (n,) to weights in (0, 1) of features and of classes."""

    def __init__(self, features: int, classes: int, hidden: int) -> None:
        super().__init__()
        self.of_features = nn.Linear(features, hidden)
        self.of_loss = nn.Linear(1, hidden)
        self.heads = nn.ModuleDict(
            {"features": nn.Linear(2 * hidden, features), "softmax": nn.Linear(2 * hidden, classes)}
        )

    def forward(self, features: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
        """W_f (n, d) and s (n, classes)."""
        seen = [self.of_features(features), self.of_loss(losses[:, None])]
        hidden = F.relu(torch.cat(seen, dim=1))
        return self.heads["features"](hidden).sigmoid(), self.heads["softmax"](hidden).sigmoid()


class Advisor(Advised):
    """An advisor sees each image's features and loss, and weighs its features or its softmax.

    - `weighs` = "features" (MFRW, equation 3): the head is shown W_f * f;
    - "softmax" (MES, equations 6 and 8): w_k = 1 - b * s_k for k other than the label, with b drawn
      for each image and class, 1 with probability `chance`;
    - "both" (MFRW-MES).

    Features are those before the advice, as is the loss; both are inputs without gradient. b is
    drawn once a step, for the virtual and the actual one. Adam has no weight decay. The advisor is
    dropped after training. The paper's public code has MFRW on Clothing1M only: its loss is not
    itself weighted, nor is it here.
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        weighs: Literal["features", "softmax", "both"] = "both",
        hidden: Count = 100,
        lr: Positive = 1e-4,
        chance: Fraction = 0.9,
        gradient: Gradient = "forward",
        precision: Precision = "float32",
        layers: Layers = None,
        noted: bool = False,
    ) -> None:
        def make() -> nn.Module:
            return AdvisorNet(model.net.features, task.classes, hidden)

        super().__init__(model, task, make, Bilevel(gradient, precision, layers, noted), lr=lr)
        self.weighs, self.chance = weighs, chance
        self.classes = task.classes
        self.drawn = torch.empty(0)
        self.counts, self.y = task.counts.float(), task.y

    def begin(self, y: Tensor) -> Sequence[Tensor]:
        drawn = torch.rand(len(y), self.classes, device=y.device) < self.chance
        self.drawn = drawn.float()
        return super().begin(y)

    def advise(self, features: Tensor, losses: Tensor) -> Advice:
        of_features, of_classes = self.net(features.to(losses.dtype), losses)
        return of_features, self.drawn * of_classes

    def weighted(self, features: Tensor, y: Tensor, advice: Advice) -> Tensor:
        of_features, left_out = advice
        if self.weighs != "softmax":
            features = of_features * features
        if self.weighs == "features":
            return self.cross_entropies(features, y).mean()
        scores = self.scores(features)
        return equalised(scores, F.one_hot(y, self.classes), left_out).mean()

    def tables(self, sweep: Sweep, last: bool) -> dict[str, dict[str, Tensor]]:
        """After some epochs the mean softmax weight of each class; at the end W_f of images."""
        if last:
            told = self.weighs != "softmax"
            return {"feature_weights": self._of_features(sweep)} if told else {}
        equal = bool(self.counts.min() == self.counts.max())
        told = self.weighs != "features" and not equal
        return {"softmax_weights": self._of_classes(sweep)} if told else {}

    def _of_classes(self, sweep: Sweep) -> dict[str, Tensor]:
        """1 - s_k, the mean over images of other classes, as if b were 1.

        Beside it stand the weights by both functions of the equalization loss.
        """
        sums, n = torch.zeros_like(self.counts), torch.zeros_like(self.counts)
        for batch in sweep():
            _, of_classes = self._said(batch)
            other = 1 - F.one_hot(batch.y, self.classes).to(of_classes.dtype)
            sums += (other * of_classes).sum(0)
            n += other.sum(0)
        share = self.counts / self.counts.sum()
        return {
            "images": self.counts,
            "advisor": 1 - sums / n,
            "step": (share >= THRESHOLD).float(),
            "gompertz": 1 - gompertz(share, SHIFT, FALL),
        }

    def _of_features(self, sweep: Sweep) -> dict[str, Tensor]:
        """W_f of the first images of each class."""
        index = first_of_each(self.y, max(OF_EACH, SHOWN // self.classes))
        found = []
        for batch in sweep():
            shown = torch.isin(batch.index.to(index.device), index)
            found.append(self._said(batch)[0][shown])
        return {"index": index, "w": torch.cat(found)}

    def _said(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """W_f (n, d) and s (n, classes)."""
        features, losses = self.seen(batch)
        weights: tuple[Tensor, Tensor] = self.net(features.to(losses.dtype), losses)
        return weights

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "lr": trial.suggest_float("lr", 1e-5, 1e-2, log=True),
            "chance": trial.suggest_float("chance", 0.5, 1),
        }
