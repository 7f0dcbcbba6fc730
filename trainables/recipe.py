"""Recipe: how the weights are trained, and the learning rate of each step."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from trainables.data.augments.augment import Augment
from trainables.data.samplers.sampler import Sampler, Shuffle
from trainables.settings import (
    Count,
    Interval,
    Invalid,
    Of,
    Positive,
    Record,
    Suggest,
    Use,
    Weight,
    unknown,
)


@dataclass(frozen=True, kw_only=True)
class Recipe(Record):
    """How the weights are trained: SGD, its schedule, augmentation, number formats."""

    epochs: Count
    batch_size: Count = 128
    lr: Positive = 0.1
    momentum: Annotated[float, Interval("[0, 1)")] = 0.9
    nesterov: bool = False
    weight_decay: Weight = 5e-4
    schedule: Literal["step", "cosine", "constant"] = "step"
    milestones: tuple[Positive, ...] = ()  # epochs after which lr is multiplied by gamma
    gamma: Annotated[float, Interval("(0, 1]")] = 0.1
    warmup_epochs: Weight = 0.0
    augment: tuple[Annotated[Use, Of(Augment)], ...] = ()
    sampling: Annotated[Use, Of(Sampler)] = Use(Shuffle)  # which images an epoch has, by class
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    keep: Annotated[int, Interval("[0, inf)")] = 0  # the weights of so many evenly spaced epochs
    # Where it is printed, and which fields are our assumption, as its tables say: not of the id.
    paper: str = field(default="", compare=False)
    assumed: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        ascending = list(self.milestones) == sorted(set(self.milestones))
        if not ascending or any(m >= self.epochs for m in self.milestones):
            valid = f"ascending and below epochs = {self.epochs}"
            raise self._milestones_refused(valid)
        if (self.schedule == "step") != bool(self.milestones):
            valid = "some epochs with schedule = step, and empty with any other"
            raise self._milestones_refused(valid)
        if self.keep > self.epochs:
            raise Invalid(f"recipe.keep = {self.keep}: must be at most epochs = {self.epochs}")
        if self.nesterov and self.momentum == 0:
            raise Invalid("recipe.nesterov = True: must be False where recipe.momentum = 0")
        for name in self.assumed:
            if name not in vars(self):
                raise unknown("recipe.assumed: field", name, vars(self))

    def _milestones_refused(self, valid: str) -> Invalid:
        given = ", ".join(f"{milestone:g}" for milestone in self.milestones)
        return Invalid(f"recipe.milestones = [{given}]: must be {valid}")

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        """The same space for every method, whatever the paper's own rate is."""
        return {
            "lr": trial.suggest_float("lr", 3e-4, 0.3, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        }


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of training step `step`, counted from 0, where an epoch has `steps` of them.

    Linear warm-up from lr / n to lr over its n steps; the schedule counts from the first step too.
    """
    warmup = recipe.warmup_epochs * steps
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return recipe.lr * rise * _decay(recipe, step / steps)


def _decay(recipe: Recipe, epoch: float) -> float:
    match recipe.schedule:
        case "step":
            return recipe.gamma ** sum(epoch >= milestone for milestone in recipe.milestones)
        case "cosine":
            return (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2
        case _:
            return 1.0


def kept_epochs(epochs: int, keep: int) -> list[int]:
    """`keep` evenly spaced epochs, the last one among them, counted from 1."""
    return [round(epochs * (i + 1) / keep) for i in range(keep)]
