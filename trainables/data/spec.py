"""DataSpec: which images are trained on, validated on and tested on."""

from dataclasses import dataclass
from typing import Annotated, Literal

from trainables.data.corruptions.corrupt import Corrupt
from trainables.data.imbalances.imbalance import Imbalance
from trainables.data.sources.source import Source
from trainables.settings import Count, Interval, Of, Record, Use


@dataclass(frozen=True, kw_only=True)
class DataSpec(Record):
    """Which images are trained on, validated on and tested on."""

    source: Annotated[Use, Of(Source)]
    # A random subset of every class, drawn after the validation images are taken out.
    train_per_class: Count | None = None
    # Which classes keep fewer. The largest has train_per_class, or what every class has.
    imbalance: Annotated[Use, Of(Imbalance)] | None = None
    # Of unequal classes, which third by training images has those that three do not divide.
    odd_third: Literal["larger", "medium", "smaller"] = "medium"
    # Clean images of each class, taken out of those to train on, for methods that learn from such.
    meta_per_class: Count | None = None
    # Drawn before or after train_per_class and imbalance leave images away.
    meta_drawn: Literal["before", "after"] = "before"
    validation: Annotated[float, Interval("[0, 1)")] = 0.1  # share of every class's training images
    test: bool = True  # False: the test images are not even loaded
    # Rules by which training labels are made wrong, after the subset is drawn; in this order.
    corrupt: tuple[Annotated[Use, Of(Corrupt)], ...] = ()
