"""Groups: what scores come to, of all classes and of those with many and with few images."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from trainables.data.data import Data
from trainables.selection import Epoch
from trainables.trial import Trial

Groups = Mapping[str, Tensor]  # by name, which classes belong: (classes,) of bool
UNEQUAL = 2  # times as many images as the smallest class: then the largest is one of a long tail
MANY, FEW = 100, 20  # images: more than MANY are many, fewer than FEW are few (Liu et al. 2019)


def unequal(counts: Tensor) -> bool:
    """Whether the largest class has at least UNEQUAL times the images of the smallest."""
    return bool(counts.max() >= UNEQUAL * counts.min())


def thirds(counts: Tensor, odd: Literal["larger", "medium", "smaller"]) -> dict[str, Tensor]:
    """The classes in three by their training images (classes,), of equals the first are larger.

    Where three do not divide the classes, the third `odd` has those that are left.
    """
    size, left = divmod(len(counts), 3)
    sizes = {name: size + left * (name == odd) for name in ("larger", "medium", "smaller")}
    order = counts.sort(descending=True, stable=True).indices
    parts = order.tensor_split((sizes["larger"], sizes["larger"] + sizes["medium"]))
    return {name: _members(part, counts) for name, part in zip(sizes, parts, strict=True)}


def shots(counts: Tensor) -> dict[str, Tensor]:
    """ImageNet-LT's groups: over 100 training images, 20 to 100, below 20."""
    return {
        "many": counts > MANY,
        "medium_shot": (counts >= FEW) & (counts <= MANY),
        "few": counts < FEW,
    }


def _members(classes: Tensor, counts: Tensor) -> Tensor:
    return torch.zeros_like(counts, dtype=torch.bool).index_fill(0, classes, True)


def accuracies(hits: Tensor, y: Tensor, groups: Groups) -> dict[str, float]:
    """ "accuracy_NAME" of each group that has images: the share of hits (n,) among its own."""
    own = {name: hits[members[y]] for name, members in groups.items()}
    return {f"accuracy_{n}": float(h.float().mean()) for n, h in own.items() if len(h)}


def groups_of(trial: Trial, data: Data) -> Groups:
    """By the true labels of the training images; none where classes have about as many."""
    counts = data.train.clean.bincount(minlength=len(data.names))
    if trial.data.imbalance is None and not unequal(counts):
        return {}
    return thirds(counts, trial.data.odd_third) | shots(counts)


@torch.no_grad()
def evaluate(scores: Tensor, y: Tensor, groups: Groups) -> Epoch:
    """Accuracy, in groups too, and mean cross-entropy of scores (n, classes) to labels (n,)."""
    loss = torch.nn.functional.cross_entropy(scores, y)
    hits = scores.argmax(1) == y
    whole = {"accuracy": float(hits.float().mean()), "loss": float(loss)}
    return whole | accuracies(hits, y, groups)
