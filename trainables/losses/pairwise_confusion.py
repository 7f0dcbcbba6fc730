"""Pairwise confusion (Dubey et al., ECCV 2018, section 3)."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Suggest, Weight
from trainables.task import Out, Task


def confusion(p: Tensor, y: Tensor, pairs: str) -> Tensor:
    """(n,) half the distance ||p_i - p_j||_2 of each image's pair, so that both have the whole.

    Image i of the first half of the batch is paired with image i of the second; of an odd number
    the last has no pair, and 0. With `pairs` = "different" a pair of one class has 0, too.
    """
    half = len(p) // 2
    distance = torch.linalg.vector_norm(p[:half] - p[half : 2 * half], dim=1) / 2
    if pairs == "different":
        distance = distance * (y[:half] != y[half : 2 * half])
    return torch.cat([distance, distance, distance.new_zeros(len(p) % 2)])


class PairwiseConfusion(Loss):
    """Cross-entropy + lambda * the distance between the probabilities of two images.

    The mean is the authors' loss: the mean cross-entropy and, for each image of the batch, half a
    pair. lambda is `per_class` * classes: they recommend 0.1 to 0.2. `pairs`: "different" classes
    only, as the paper defines it, or "all", as their public function does. The OLS repository's
    version, a norm over the batch of logits, is not followed.
    """

    def __init__(
        self,
        task: Task,
        *,
        per_class: Weight = 0.1,
        pairs: Literal["different", "all"] = "different",
    ) -> None:
        super().__init__(task)
        self.weight, self.pairs = per_class * task.classes, pairs

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        loss = F.cross_entropy(out.scores, target, reduction="none")
        return loss + self.weight * confusion(out.scores.softmax(1), batch.y, self.pairs)

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        return False

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"per_class": trial.suggest_float("per_class", 0.001, 1, log=True)}
