"""The learning rate as a pure function of the step."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.trial import Recipe


def learning_rate(recipe: "Recipe", step: int, steps: int) -> float:
    """The rate of training step `step`, counted from 0, where an epoch has `steps` of them.

    Linear warm-up from lr / n to lr over its n steps; the schedule counts from the first step too.
    """
    warmup = recipe.warmup_epochs * steps
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return recipe.lr * rise * _decay(recipe, step / steps)


def _decay(recipe: "Recipe", epoch: float) -> float:
    match recipe.schedule:
        case "step":
            return recipe.gamma ** sum(epoch >= milestone for milestone in recipe.milestones)
        case "cosine":
            return (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2
        case _:
            return 1.0
