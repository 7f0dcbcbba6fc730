"""Advisor networks: MFRW, MES and MFRW-MES (Ricci et al., ACM TOMM 2023)."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.methods.meta_learned import Advice, Gradient, MetaLearned, Precision
from trainables.model import Model
from trainables.seeding import seed_of
from trainables.settings import Count, Fraction, Positive, Suggest
from trainables.task import Task

LEAST = 1e-6  # of a class's share in the softmax, whose logarithm is taken


def equalised(scores: Tensor, y: Tensor, kept: Tensor) -> Tensor:
    """(n,) -log p_y with p_j = exp(z_j) / sum_k w_k exp(z_k) (equation 8), at w_y = 1.

    `kept` (n, classes): w of the other classes; what lies below LEAST counts as LEAST.
    """
    w = kept.clamp(min=LEAST).scatter(1, y[:, None], 1.0)
    return (scores + w.log()).logsumexp(1) - scores.gather(1, y[:, None])[:, 0]


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


class Advisor(MetaLearned):
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
    ) -> None:
        super().__init__(model, task, gradient=gradient, precision=precision)
        self.weighs, self.chance = weighs, chance
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(task.seed, "advisor"))
            net = AdvisorNet(model.net.features, task.classes, hidden)
        self.net = task.placed(net)
        self.classes = task.classes
        self.adam = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.drawn = torch.empty(0)

    def theta(self, images: int) -> Sequence[Tensor]:
        device = self.net.of_loss.weight.device
        self.drawn = (torch.rand(images, self.classes, device=device) < self.chance).float()
        return list(self.net.parameters())

    def advise(self, features: Tensor, losses: Tensor) -> Advice:
        of_features, of_classes = self.net(features.to(losses.dtype), losses)
        return of_features, 1 - self.drawn * of_classes

    def weighted(self, features: Tensor, y: Tensor, advice: Advice) -> Tensor:
        of_features, kept = advice
        if self.weighs != "softmax":
            features = of_features * features
        if self.weighs == "features":
            return self.cross_entropies(features, y).mean()
        return equalised(self.scores(features), y, kept).mean()

    def learn(self, gradient: Sequence[Tensor]) -> None:
        for weight, g in zip(self.net.parameters(), gradient, strict=True):
            weight.grad = g
        self.adam.step()

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "lr": trial.suggest_float("lr", 1e-5, 1e-2, log=True),
            "chance": trial.suggest_float("chance", 0.5, 1),
        }
