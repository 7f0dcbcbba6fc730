"""Co-teaching: two nets choose for each other what to learn from (Han et al., NeurIPS 2018)."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.methods.method import Method, descend
from trainables.model import Model, fresh
from trainables.optimizers import SGD
from trainables.settings import Fraction, Suggest, Use, Weight
from trainables.task import Task

DEMO = 40 / 200  # of the published epochs


class CoTeaching(Method):
    """Each of two nets is trained on the images of a batch whose loss is least for the other.

    A share of min(epoch / ramp, 1) * `forget` is left out (algorithm 1), epochs counted from 0.
    `forget` is the noise rate, known as in the paper. Both nets have the recipe's SGD: the public
    code has Adam, and divides a mean once more by its images. The first net predicts.
    """

    replaces = ("targets", "loss")

    def __init__(
        self, model: Model, task: Task, *, forget: Fraction = 0.2, ramp: Weight = 10.0
    ) -> None:
        super().__init__(model, task)
        self.forget, self.ramp = forget, ramp
        self.peer = fresh(task, "peer")
        self.peer_optimizer = SGD(self.peer.parameters(), **self.optimizer.defaults)

    def kept(self, n: int) -> int:
        """Of n images how many are learned from, at least one."""
        grown = min(1.0, self.epoch / self.ramp) if self.ramp else 1.0
        return max(1, round((1 - self.forget * grown) * n))

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        out, said = self.model(batch.x), self.peer(batch.x)
        own = F.cross_entropy(out.scores, batch.y, reduction="none")
        other = F.cross_entropy(said.scores, batch.y, reduction="none")
        kept = self.kept(len(batch.y))
        least = [losses.detach().argsort(stable=True)[:kept] for losses in (own, other)]
        descend(self.peer_optimizer, other[least[0]].mean(), lr)
        return self.step(batch, out, own[least[1]].mean(), lr)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "forget": trial.suggest_float("forget", 0, 0.8),
            "ramp": trial.suggest_float("ramp", 1, 50),
        }

    @classmethod
    def demo(cls, use: Use) -> Use:
        """The ramp in proportion."""
        return use.but(ramp=use["ramp"] * DEMO)
