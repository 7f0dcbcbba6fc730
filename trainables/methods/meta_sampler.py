"""The meta sampler of BALMS: class rates are learned (Ren et al., NeurIPS 2020)."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.bilevel import double_backward, meta_loss
from trainables.data.data import Batch
from trainables.methods.decoupled import Decoupled, Start
from trainables.model import Model
from trainables.optimizers import Adam
from trainables.settings import Fraction, Positive, Suggest
from trainables.task import Task


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
        self.adam = Adam([self.rates], lr)

    def change_over(self) -> None:
        """The classifier goes on from where it is."""

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        if not self.apart:
            return super().update(batch, lr)
        assert batch.meta is not None, "its trials have a meta-set"
        n = len(batch.y)
        noise = -torch.empty(n, n, device=batch.x.device).exponential_().log()
        out = self.model(batch.x)
        losses = self.model.objective(batch, out)
        virtual = (drawn(self.rates, batch.y, noise, self.temperature) * losses).mean()
        meta = partial(meta_loss, self.model, batch=batch.meta)
        (self.rates.grad,) = double_backward(
            self.model, out.features, lambda features: virtual, meta, [self.rates], lr
        )
        self.adam.step()
        with torch.no_grad():
            counts = drawn(self.rates, batch.y, noise, self.temperature)
        return self.step(batch, out, (counts * losses).mean(), lr)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "start": trial.suggest_float("start", 0.5, 0.95),
            "lr": trial.suggest_float("lr", 1e-3, 0.1, log=True),
            "power": trial.suggest_float("power", 0, 1),
        }
