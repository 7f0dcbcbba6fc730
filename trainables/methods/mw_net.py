"""MW-Net: a small net weighs each image by its loss (Shu et al., NeurIPS 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.methods.meta_learned import Advice, Gradient, MetaLearned, Precision
from trainables.model import Model
from trainables.seeding import seed_of
from trainables.settings import Count, Positive, Suggest, Weight
from trainables.task import Task


def weigh(losses: Tensor, weights: Tensor, normalised: bool) -> Tensor:
    """The weighted sum of losses (n,), divided by n; normalised: by the sum of the weights."""
    total = weights.sum()
    return (weights * losses).sum() / (total + (total == 0) if normalised else len(losses))


class MWNet(MetaLearned):
    """v = sigmoid(Linear(ReLU(Linear(loss)))), learned by Adam; L = sum v * loss / n (equation 3).

    `hidden` units, rate and weight decay are those of the public code for wrong labels. With
    `normalised` weights sum to 1 in a batch, as in the public code for long tails. There, v is not
    detached from the loss; here the loss is an input only, as in the paper.
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        hidden: Count = 100,
        lr: Positive = 1e-3,
        weight_decay: Weight = 1e-4,
        normalised: bool = False,
        gradient: Gradient = "forward",
        precision: Precision = "float32",
    ) -> None:
        super().__init__(model, task, gradient=gradient, precision=precision)
        self.normalised = normalised
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(task.seed, "advisor"))
            net = nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Sigmoid())
        self.net = task.placed(net)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=lr, weight_decay=weight_decay)

    def theta(self, images: int) -> Sequence[Tensor]:
        return list(self.net.parameters())

    def advise(self, features: Tensor, losses: Tensor) -> Advice:
        return (self.net(losses[:, None])[:, 0],)

    def weighted(self, features: Tensor, y: Tensor, advice: Advice) -> Tensor:
        return weigh(self.cross_entropies(features, y), advice[0], self.normalised)

    def learn(self, gradient: Sequence[Tensor]) -> None:
        for weight, g in zip(self.net.parameters(), gradient, strict=True):
            weight.grad = g
        self.adam.step()

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "lr": trial.suggest_float("lr", 1e-5, 1e-2, log=True),
            "normalised": trial.suggest_categorical("normalised", [False, True]),
        }
