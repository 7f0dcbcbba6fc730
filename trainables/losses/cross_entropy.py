"""Cross-entropy to a distribution over the classes."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.task import Out


class CrossEntropy(Loss):
    """-sum_k target_k log softmax(scores)_k."""

    nothing_to_search = "has no settings"

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(out.scores, target, reduction="none")
