"""The meta sampler of BALMS: class rates are learned (Ren et al., NeurIPS 2020)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import grad
from torch.func import functional_call

from trainables.data.data import Batch
from trainables.methods.decoupled import Decoupled, Start
from trainables.model import Model
from trainables.settings import Fraction, Positive, Suggest
from trainables.task import Out, Task


def drawn(rates: Tensor, y: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """(n,) how often each image of a batch is drawn in n draws by the rate of its class.

    `rates` (classes,) are logarithms, `noise` (n, n) of the Gumbel distribution. Each draw is
    Gumbel's largest; its gradient is that of the softmax (straight-through).
    """
    soft = ((rates[y] + noise) / temperature).softmax(1)
    hard = F.one_hot(soft.argmax(1), len(y)).to(soft.dtype)
    return (hard + soft - soft.detach()).sum(0)


class MetaSampler(Decoupled):
    """In the second stage a batch is drawn anew from itself, by class rates learned by Adam.

    The loss is the trial's, BalancedSoftmax for BALMS. The virtual step is plain SGD on the
    classifier alone, the meta loss the cross-entropy of clean images after it. Virtual and actual
    step share the noise. A class's rate starts as the `power` of its training images: 0 is equal
    rates, the default of the public code, and 1 those of the images. That code has 13,000 steps
    and then 2,000, and takes its clean images from the training images.
    """

    meta = True

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        start: Start = 13 / 15,
        lr: Positive = 0.01,
        power: Fraction = 0.0,
        temperature: Positive = 1.0,
    ) -> None:
        super().__init__(model, task, start=start)
        self.temperature = temperature
        self.rates = nn.Parameter(power * task.counts.clamp(min=1).log())
        self.adam = torch.optim.Adam([self.rates], lr)

    def change_over(self) -> None:
        """The classifier goes on from where it is."""

    def retrain(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        assert batch.meta is not None, "its trials have a meta-set"
        n = len(batch.y)
        noise = -torch.empty(n, n, device=batch.x.device).exponential_().log()
        out = self.said(batch.x)
        self._learn(batch, out, noise, lr)
        with torch.no_grad():
            counts = drawn(self.rates, batch.y, noise, self.temperature)
        losses = self.model.objective(batch, out)
        return self.step(batch, out, (counts * losses).mean(), lr)

    def _learn(self, batch: Batch, out: Out, noise: Tensor, lr: float) -> None:
        """The meta step, by the gradient through the virtual step."""
        assert batch.meta is not None
        weights = dict(self.model.head.named_parameters())
        counts = drawn(self.rates, batch.y, noise, self.temperature)
        loss = (counts * self.model.objective(batch, out)).mean()
        slopes = grad(loss, list(weights.values()), create_graph=True)
        ahead = {
            name: w.detach() - lr * g for (name, w), g in zip(weights.items(), slopes, strict=True)
        }
        meta = F.cross_entropy(self._scores(ahead, batch.meta.x), batch.meta.y)
        (self.rates.grad,) = grad(meta, [self.rates], retain_graph=True)
        self.adam.step()

    def _scores(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Of images, with these weights of the head."""
        with self.model.autocast():
            with torch.no_grad():
                features, _ = self.model.net(x)
            output = functional_call(self.model.head, dict(weights), (features,))
        return self.model.scores(output)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "start": trial.suggest_float("start", 0.5, 0.95),
            "lr": trial.suggest_float("lr", 1e-3, 0.1, log=True),
            "power": trial.suggest_float("power", 0, 1),
        }
