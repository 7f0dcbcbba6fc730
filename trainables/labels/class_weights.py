"""Class weights: how much a class counts by how many training images it has."""

from typing import Annotated, Literal

import torch
from torch import Tensor

from trainables.settings import Interval

Rule = Literal["inverse", "effective"]
Beta = Annotated[float, Interval("[0, 1)")]


def class_weights(counts: Tensor, rule: Rule, beta: float) -> Tensor:
    """(classes,) float32: of `counts` (classes,); they sum to the number of classes.

    "inverse" is 1 / n_c. "effective" is 1 / E_c, with E_c = (1 - beta^n_c) / (1 - beta) the
    effective number of images (Cui et al. 2019, equation 2). A class without images has 0.
    """
    n = counts.double()
    number = n if rule == "inverse" else (1 - beta**n) / (1 - beta)
    weights = torch.where(n > 0, 1 / number, 0)
    return (weights * len(n) / weights.sum()).float()
