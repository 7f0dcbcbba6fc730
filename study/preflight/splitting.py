"""Splitting: whether several workers can train each trial of a study together."""

from collections.abc import Iterable

from study.request import Resources
from trainables.settings import Invalid
from trainables.training.workers import unsplit
from trainables.trial import Trial


def check_splitting(trials: Iterable[Trial], resources: Resources) -> None:
    """Raises Invalid for the first trial, or its teacher, that so many workers cannot train."""
    workers = resources.together
    option = "--workers-per-trial" if resources.workers else "--gpus-per-trial"
    for trial in trials:
        for one in (trial, *trial.teachers()):
            if valid := unsplit(one, workers):
                raise Invalid(f"{option} = {workers}: must be {valid}")
