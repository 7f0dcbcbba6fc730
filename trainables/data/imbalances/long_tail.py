"""Long tails: exponentially fewer images from class to class (Cui et al. 2019, section 5.1)."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch

from trainables.data.imbalances.imbalance import Imbalance
from trainables.settings import Interval, Invalid, Use

EASED = 0.75  # the power of rho at demo scale: the digits' largest class has 140 images, not 5000
ROUNDING = 1e-9  # of floating point, so that 5000 / 100 is 50 and not 49


class LongTail(Imbalance):
    """n_c = n_max * rho^(-c / (C - 1)), rounded down: `rho` is the largest class by the smallest.

    The first class is the largest, as in the public code of LDAM and of the class-balanced loss;
    with `order` = "shuffled" the trial's seed draws which class has which size.
    """

    def __init__(
        self,
        *,
        rho: Annotated[float, Interval("[1, inf)")] = 100.0,
        order: Literal["label", "shuffled"] = "label",
    ) -> None:
        self.rho, self.order = rho, order

    @classmethod
    def demo(cls, use: Use) -> Use:
        return use.but(rho=use["rho"] ** EASED)

    def __call__(self, most: int, names: Sequence[str], generator: torch.Generator) -> list[int]:
        last = max(len(names) - 1, 1)
        sizes = [int(most * self.rho ** (-c / last) + ROUNDING) for c in range(len(names))]
        if self.order == "shuffled":
            places = torch.randperm(len(names), generator=generator).tolist()
            sizes = [sizes[place] for place in places]
        if 0 in sizes:
            valid = f"at most {most}, the images of the largest class"
            empty = names[sizes.index(0)]
            raise Invalid(
                f"LongTail.rho = {self.rho:g} leaves class {empty!r} empty: must be {valid}"
            )
        return sizes
