"""Begun: what the checks look at, a trial before its first step and its first batch."""

from collections.abc import Callable

from trainables.data.data import Batch
from trainables.data.loader import training_batches
from trainables.data.samplers.sampler import Sampler
from trainables.training.run import Run
from trainables.trial import Trial

Start = Callable[[], Run]  # the same trial anew, before its first step

IMAGES = 20  # in a batch that is looked at


def begun(start: Start) -> Run:
    """The trial in training mode, after what comes before the first step of the first epoch."""
    run = start()
    run.start_epoch(0)
    run.method.train()
    return run


def first_batch(run: Run) -> Batch:
    """At most 20 images of the first epoch, not augmented, as the trial's method has them drawn."""
    views, meta = run.method.views, run.method.meta
    sampler: Sampler = (run.method.sampling_in(0) or run.trial.recipe.sampling).build()
    return next(training_batches(run.data, IMAGES, [], run.trial.seed, 0, 0, views, sampler, meta))


def owner(trial: Trial, entry: str) -> str:
    """The class of the part that an entry of a method's state, by its dotted name, belongs to."""
    match entry.split("."):
        case ["model", ("net" | "head" | "targets" | "loss") as field, *_]:
            return str(getattr(trial, field).name)
        case _:
            return trial.method.name
