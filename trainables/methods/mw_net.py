"""MW-Net: a small net weighs each image by its loss (Shu et al., NeurIPS 2019)."""

from functools import partial

import torch
from torch import Tensor, nn

from trainables.methods.meta_learned import Advice, Advised, Bilevel, Gradient, Layers, Precision
from trainables.methods.method import Sweep
from trainables.model import Model
from trainables.settings import Count, Positive, Suggest, Weight
from trainables.task import Task


def weigh(losses: Tensor, weights: Tensor, normalised: bool) -> Tensor:
    """The weighted sum of losses (n,), divided by n; normalised: by the sum of the weights."""
    total = weights.sum()
    return (weights * losses).sum() / (total + (total == 0) if normalised else len(losses))


def weighing_net(hidden: int) -> nn.Sequential:
    """From losses (n, 1) to weights (n, 1) in (0, 1)."""
    return nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, 1), nn.Sigmoid())


class MWNet(Advised):
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
        layers: Layers = None,
        noted: bool = False,
    ) -> None:
        how = Bilevel(gradient, precision, layers, noted)
        super().__init__(
            model, task, partial(weighing_net, hidden), how, lr=lr, weight_decay=weight_decay
        )
        self.normalised = normalised

    def advise(self, features: Tensor, losses: Tensor) -> Advice:
        return (self.net(losses[:, None])[:, 0],)

    def weighted(self, features: Tensor, y: Tensor, advice: Advice) -> Tensor:
        return weigh(self.cross_entropies(features, y), advice[0], self.normalised)

    def tables(self, sweep: Sweep, last: bool) -> dict[str, dict[str, Tensor]]:
        """At the end the loss and the weight of each training image."""
        if not last:
            return {}
        rows = []
        for batch in sweep():
            features, losses = self.seen(batch)
            rows.append(torch.stack([losses, *self.advise(features, losses)], dim=1))
        loss, weight = torch.cat(rows).unbind(1)
        return {"weights": {"index": torch.arange(len(loss)), "loss": loss, "weight": weight}}

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "lr": trial.suggest_float("lr", 1e-5, 1e-2, log=True),
            "normalised": trial.suggest_categorical("normalised", [False, True]),
        }
