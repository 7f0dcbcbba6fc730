"""Balanced softmax: scores plus the logarithm of class sizes (Ren et al., NeurIPS 2020)."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.task import Out, Task


class BalancedSoftmax(Loss):
    """Cross-entropy of softmax(z + log n), n the training images of each class (equation 3).

    Predictions are those of z alone. A class without training images has no share in the softmax
    but the least that float32 has, so that its score keeps a finite slope.
    """

    nothing_to_search = "has no settings: class sizes say all"
    shift: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        n = task.counts.float()
        shift = (n / n.sum()).clamp(min=1e-30).log()
        self.register_buffer("shift", shift, persistent=False)  # follows from the data

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(out.scores + self.shift, target, reduction="none")
