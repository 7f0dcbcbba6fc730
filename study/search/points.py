"""Points: what a search has asked and been told."""

from collections.abc import Callable
from dataclasses import dataclass

from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from analysis.plan import Plan
from trainables.trial import Trial

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed),
}


FIRST_SEED = 1000  # of searched trials; a table's seeds are below


HELD_OUT = 0.1  # of the training images, at least


REPEATS = 20  # so many in a row, and the space is exhausted


Ready = Callable[[Trial], tuple[Trial, str]]  # resolves a trial's files and formats; its id


def objective(plan: Plan) -> str:
    """The selection rule that searched trials are judged by: the one that the table is read by."""
    follows_paper = plan.scale == "paper" and plan.selection != "oracle"
    return plan.selection if follows_paper else "best_validation"


@dataclass(frozen=True)
class Options:
    """What every search of a study gets."""

    points: int
    seeds: int = 1
    sampler: str = "tpe"
    seed: int = 0  # of the sampler
    pruner: str = "none"


def searched(trial: Trial, seed: int) -> Trial:
    """As a search trains it: without test images, with validation images, with its own seed."""
    held_out = max(trial.data.validation, HELD_OUT)
    return trial.but(data=trial.data.but(test=False, validation=held_out), seed=seed)
