"""DataSpec: which images are trained on, validated on and tested on."""

from dataclasses import dataclass
from typing import Annotated, Literal

from trainables.data.corruptions.corrupt import Corrupt
from trainables.data.imbalances.imbalance import Imbalance
from trainables.data.sources.source import Source
from trainables.settings import Count, Interval, Invalid, Of, Record, Share, Suggest, Use


@dataclass(frozen=True, kw_only=True)
class DataSpec(Record):
    """Which images are trained on, validated on and tested on."""

    source: Annotated[Use, Of(Source)]
    # A random subset of every class, drawn after the validation images are taken out.
    train_per_class: Count | None = None
    # The same as a share of every class, those images counted in that are held out. Half an image
    # is one more.
    train_share: Share | None = None
    # Which classes keep fewer. The largest has train_per_class, or what every class has.
    imbalance: Annotated[Use, Of(Imbalance)] | None = None
    # Of unequal classes, which third by training images has those that three do not divide.
    odd_third: Literal["larger", "medium", "smaller"] = "medium"
    # Clean images of each class for methods that learn from such; of the source's own, None is all.
    meta_per_class: Count | None = None
    # Taken out of those to train on before or after train_per_class and imbalance leave images
    # away, or those that the source has besides.
    meta_drawn: Literal["before", "after", "source"] = "before"
    validation: Annotated[float, Interval("[0, 1)")] = 0.1  # share of every class's training images
    test: bool = True  # False: the test images are not even loaded
    # Rules by which training labels are made wrong, after the subset is drawn; in this order.
    corrupt: tuple[Annotated[Use, Of(Corrupt)], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_per_class is not None and self.train_share is not None:
            valid = f"None where dataspec.train_per_class = {self.train_per_class}"
            raise Invalid(f"dataspec.train_share = {self.train_share}: must be {valid}")
        if self.meta_drawn == "source" and not self.source.build().meta_images:
            valid = f"before or after: {self.source.name} has no clean images besides"
            raise Invalid(f"dataspec.meta_drawn = source: must be {valid}")

    @property
    def has_meta(self) -> bool:
        """Whether there are clean images to learn from."""
        return self.meta_per_class is not None or self.meta_drawn == "source"

    @property
    def taken_per_class(self) -> int:
        """Clean images of each class that are taken out of those to train on."""
        return 0 if self.meta_drawn == "source" else self.meta_per_class or 0

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        """How many clean images of each class; where rare classes have fewer, the trial fails."""
        return {"meta_per_class": trial.suggest_int("meta_per_class", 1, 100, log=True)}
