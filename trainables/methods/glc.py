"""GLC: wrong labels seen through a matrix found on clean ones (Hendrycks et al., NeurIPS 2018)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.methods.method import Method, Sweep
from trainables.model import Model
from trainables.task import Changes, Task

LEAST = 1e-12  # of a probability whose logarithm is taken


class GLC(Method):
    """Gold loss correction: -log p on clean images, -log (C^T p)_y on those with given labels.

    C_ij (algorithm 1) is the mean probability of class j that a net trained on the given labels
    says of clean images of class i. That net is the trial's teacher, and this one starts from its
    first weights, as in the public code. In a step both losses weigh as their sets have images, as
    in batches of both shuffled together.
    """

    nothing_to_search = "has no settings: the meta-set says all"
    meta = True
    replaces = ("targets", "loss")
    corruption: Tensor
    share: Tensor  # of clean images among all

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__(model, task)
        self.task = task
        self.register_buffer("corruption", torch.eye(task.classes, device=task.device))
        self.register_buffer("share", torch.zeros((), device=task.device))

    @classmethod
    def teacher(cls) -> Changes:
        """The teacher is trained as usual, on the given labels."""
        return {"method": None}

    def start_epoch(self, epoch: int, sweep: Sweep) -> None:
        super().start_epoch(epoch, sweep)
        if epoch > 0:
            return
        taught = self.task.teacher(self.teacher())
        sums = torch.zeros_like(self.corruption)
        counts = sums.new_zeros(self.task.classes)
        for batch in sweep(meta=True):
            sums.index_add_(0, batch.y, taught(batch.x).scores.softmax(1))
            counts += torch.bincount(batch.y, minlength=self.task.classes)
        self.corruption.copy_(sums / counts[:, None])
        self.share.copy_(counts.sum() / (counts.sum() + len(self.task.y)))

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        assert batch.meta is not None, "its trials have a meta-set"
        out = self.model(batch.x)
        given = (out.scores.softmax(1) @ self.corruption).clamp(min=LEAST).log()
        clean = F.cross_entropy(self.model(batch.meta.x).scores, batch.meta.y)
        loss = self.share * clean + (1 - self.share) * F.nll_loss(given, batch.y)
        return self.step(batch, out, loss, lr)
