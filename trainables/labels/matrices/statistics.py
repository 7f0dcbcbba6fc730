"""Statistics of a label set: entropy, and how far labels are from each other.

The paper's code has them in `get_distances.py` and, for entropy, takes scikit-image's.
"""

from typing import Literal

import torch
from torch import Tensor


def entropy(labels: Tensor, bins: int | None = None) -> Tensor:
    """(classes,) bits: Shannon's entropy of the numbers in each label (classes, *shape).

    Each distinct number is a case of its own, as in the paper's code, so that n different ones
    have log2(n) bits. With `bins` the cases are that many equal intervals, which together span the
    numbers of all labels.
    """
    if bins is not None:
        labels = (unit(labels) * bins).long().clamp(max=bins - 1)
    counts = (label.unique(return_counts=True)[1] for label in labels)
    shares = (count / label.numel() for count, label in zip(counts, labels, strict=True))
    return torch.stack([(share * (1 / share).log2()).sum() for share in shares])


def distances(labels: Tensor, order: Literal[1, 2], induced: bool = False) -> Tensor:
    """(classes * (classes - 1) / 2,): L1 or L2 distance by `order`, of all pairs of labels.

    Labels (classes, *shape) are first scaled to lie from 0 to 1, all by one factor. `induced` takes
    the norm that matrices induce instead: the largest column sum, or singular value. So does the
    paper's code for matrices, and calls the first L2 and the second L1.
    """
    scaled = unit(labels)
    apart = (scaled[i + 1 :] - one for i, one in enumerate(scaled))
    if induced and labels.dim() == 3:
        return torch.cat([torch.linalg.matrix_norm(each, order) for each in apart])
    return torch.cat([each.flatten(1).norm(order, dim=1) for each in apart])


def unit(labels: Tensor) -> Tensor:
    """The labels, shifted and scaled together to lie from 0 to 1, as float64."""
    exact = labels.double()
    low, high = exact.aminmax()
    return (exact - low) / (high - low)
