"""Advisor networks: MFRW, MES and MFRW-MES (Ricci et al., ACM TOMM 2023)."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.losses.equalization import equalised
from trainables.methods.meta_learned import Advice, Advised, Bilevel, Gradient, Layers, Precision
from trainables.model import Model
from trainables.settings import Count, Fraction, Positive, Suggest
from trainables.task import Task


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

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "lr": trial.suggest_float("lr", 1e-5, 1e-2, log=True),
            "chance": trial.suggest_float("chance", 0.5, 1),
        }
