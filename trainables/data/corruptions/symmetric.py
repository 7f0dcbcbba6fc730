"""Symmetric label noise."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.data.corruptions.corrupt import Corrupt
from trainables.settings import Fraction


def symmetric(
    y: Tensor,
    classes: int,
    rate: float,
    generator: torch.Generator,
    *,
    own_class: bool = False,
    exact: bool = True,
) -> Tensor:
    """`y` (n,) with the share `rate` of its labels drawn anew, uniformly over the classes.

    `own_class`: whether the label itself may be drawn, too; then fewer become wrong. `exact`: the
    share is that of the set (rounded); otherwise each label is drawn anew with that probability.
    A smaller rate changes some of the labels that a larger one changes, to the same.
    """
    n = len(y)
    if exact:
        chosen = torch.randperm(n, generator=generator) < round(rate * n)
    else:
        chosen = torch.rand(n, generator=generator, dtype=torch.float64) < rate
    shift = torch.randint(0 if own_class else 1, classes, (n,), generator=generator)
    return torch.where(chosen, (y + shift) % classes, y)


class Symmetric(Corrupt):
    """Uniform noise: the share `rate` of the labels is drawn anew, whatever the class.

    By default an exact number of labels becomes one of another class, as in the public code of SCE
    and Co-teaching; MW-Net, PENCIL and Arazo et al. have `own_class`.
    """

    def __init__(
        self,
        *,
        rate: Fraction = 0.4,
        own_class: bool = False,
        exact: bool = True,
        validation: bool = True,
    ) -> None:
        self.rate, self.own_class, self.exact = rate, own_class, exact
        self.validation = validation

    def __call__(self, y: Tensor, names: Sequence[str], generator: torch.Generator) -> Tensor:
        rule = {"own_class": self.own_class, "exact": self.exact}
        return symmetric(y, len(names), self.rate, generator, **rule)
