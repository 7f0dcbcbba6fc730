"""What the tables on ImageNet-LT, Places-LT and Clothing1M (Ricci et al.) share."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from study.grids import folders
from study.grids.advisor._paper import advisor_demo, table
from study.grids.recipes import ADVISOR_TAIL
from trainables.data.corruptions.flip import FlipNoise
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.losses.equalization import Equalization
from trainables.settings import Use
from trainables.trial import Trial

# Clean images are those of a validation list, 10 of each class or all.
IMAGENET_LT = DataSpec(
    source=folders.IMAGENET_LT, validation=0.0, meta_per_class=10, meta_drawn="source"
)
PLACES_LT = IMAGENET_LT.but(source=folders.PLACES_LT)
CLOTHING = DataSpec(source=folders.CLOTHING, validation=0.0, meta_drawn="source")

# What the lists have of themselves, and the digits have by a rule.
GIVEN: Mapping[Use, dict[str, Any]] = {
    folders.IMAGENET_LT: {"imbalance": Use(LongTail, rho=1280 / 5)},
    # At 4980 / 5 no image of the last digit would be left.
    folders.PLACES_LT: {"imbalance": Use(LongTail, rho=400)},
    folders.CLOTHING: {"corrupt": (Use(FlipNoise, rate=0.385, to="next"),)},
}

PROTOCOL = (
    "no validation images; the test accuracy of the last epoch (the authors' public code, of "
    "Clothing1M, reports the best test epoch)",
    "published only: rows that others' papers report, and methods that are not here",
)
FROM_THE_START = (
    "the paper starts its own method from a baseline that was trained on the whole data set: not "
    "done here, where each row starts as the baseline does"
)
CLOTHES = (
    *PROTOCOL,
    "the clean images are all 14,313 of the validation list, in every row; at demo scale 10 of "
    "each class",
    "at demo scale 0.385 of the labels are wrong, as is known of Clothing1M, each that of the next "
    "class; the learning rate is that of the tables on CIFAR",
    "pixels are normalised by ImageNet's statistics",
    "MW-Net's rate is 1e-3, its weights are not normalised; b is drawn once a step",
)


def large_demo(trial: Trial) -> Trial:
    """With what the lists have of themselves, at CIFAR's rate: no demo starts from weights."""
    data = trial.data.but(**GIVEN[trial.data.source])
    if trial.loss.part is Equalization:  # as small a share, beside that of equal classes
        classes = data.source.build().classes / Digits.classes
        trial = trial.but(loss=trial.loss.but(threshold=trial.loss["threshold"] * classes))
    small = trial.but(data=data, recipe=trial.recipe.but(lr=ADVISOR_TAIL.lr))
    return advisor_demo(small, head=None)


large_table = partial(table, demo=large_demo)
