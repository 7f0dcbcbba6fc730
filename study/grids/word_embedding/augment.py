"""Word embeddings, Fig. 4: with Cutout, random erasing and GridMask. It has no numbers."""

from study.grids.grid import Entry, percent
from study.grids.word_embedding._paper import (
    FEW,
    OURS,
    cifar10,
    cifar100,
    few,
    mini,
    table,
    with_method,
)
from trainables.data.augments.cutout import Cutout
from trainables.data.augments.grid_mask import GridMask
from trainables.data.augments.random_erasing import RandomErasing
from trainables.settings import Use
from trainables.trial import Trial

SETS = {
    "CIFAR-10": (cifar10, (50, 100, 200)),
    "CIFAR-100": (cifar100, (50, 100, 200)),
    "mini-ImageNet": (mini, (10, 50, 100)),
}
TRIALS = {f"{name}, {n}": few(trial, n) for name, (trial, sizes) in SETS.items() for n in sizes}
HOLES = {"CIFAR-10": 16, "CIFAR-100": 8, "mini-ImageNet": 42}  # Cutout's paper; half the side
UNITS = {"mini-ImageNet": (63, 84)}  # GridMask's for CIFAR in the proportion of the sides


def changes(data: str) -> dict[str, tuple[Use, ...]]:
    """By row, what is added to the augmentation."""
    mask = Use(GridMask, unit=UNITS[data]) if data in UNITS else Use(GridMask)
    return {
        "CE": (),
        "Cutout": (Use(Cutout, side=HOLES[data]),),
        "Random erasing": (Use(RandomErasing),),
        "GridMask": (mask,),
    }


def entry(column: str, name: str) -> Entry:
    """The cell of a row, which is an augmentation, a method, or both."""
    trial: Trial = TRIALS[column]
    own, _, ours = name.partition(" + ")
    added = changes(column.partition(",")[0]).get(own, ())
    recipe = trial.recipe.but(augment=(*trial.recipe.augment, *added))
    changed = trial.but(recipe=recipe)
    return (with_method(changed, OURS) if OURS in (own, ours) else changed), None


grid = table(
    title="Word embeddings, with augmentations (few images a class, ResNet-18)",
    table="fig4",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(
        *FEW[:-1],
        "Cutout of 16 pixels on CIFAR-10, 8 on CIFAR-100, 42 on mini-ImageNet; random erasing with "
        "probability 0.5; GridMask as its authors' CIFAR runs, its unit in proportion on "
        "mini-ImageNet: the paper says nothing of these",
        "the figure has no numbers",
    ),
    rows={
        name: {column: entry(column, name) for column in TRIALS}
        for own in ("CE", "Cutout", "Random erasing", "GridMask")
        for name in (own, OURS if own == "CE" else f"{own} + {OURS}")
    },
)
