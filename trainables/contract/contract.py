"""The whole contract of parts, in one trial in which they stand."""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from trainables.contract.begun import Start
from trainables.contract.declared import check_declared, check_suggest
from trainables.contract.pure import check_evaluation, check_purity, check_start
from trainables.contract.repeated import check_repeated
from trainables.contract.resumed import (
    check_resumed,
    kill_after_epoch,
    kill_in_step,
    outcome,
    started,
    train,
)
from trainables.contract.shown import check_mass, check_shapes
from trainables.contract.steps import check_observe, check_state, check_step
from trainables.heads.head import Head
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.settings import Invalid
from trainables.storage.storage import Storage
from trainables.targets.targets import Targets
from trainables.training.site import Site
from trainables.trial import Trial

# What is checked of a trial that has not begun, by name; each raises Invalid.
CHECKS: dict[str, Callable[[Start], None]] = {
    "start": check_start,
    "shapes": check_shapes,
    "mass": check_mass,
    "purity": check_purity,
    "evaluation": check_evaluation,
    "observe": check_observe,
    "step": check_step,
    "state": check_state,
    "repeated": check_repeated,
}
SEARCHED = (Head, Targets, Loss, Method)

EPOCHS = 3  # the fewest that a training is killed in
BATCH = 10
IMAGES = 2  # a class
UNEQUAL_BATCH = 100  # where classes are unequal, so that an epoch has a few steps, too
VALIDATION = 0.02
FORMATS = {"precision": "float32", "memory_format": "contiguous"}


def check_contract(trial: Trial, parts: Iterable[type], site: Site) -> Iterator[str]:
    """A line for each check of these classes that passes: "MyLoss: shapes".

    `trial` uses all of them, on the embedded digits; it is `shortened`. Raises Invalid at the first
    check that fails. An error in a part's code becomes such a line with its file and line.
    """
    parts = tuple(parts)
    trial = shortened(trial).resolved(site.folder, FORMATS)
    uses = {use.part: use for use in trial.uses()}
    if absent := [part.__name__ for part in parts if part not in uses]:
        there = ", ".join(part.__name__ for part in uses)
        raise Invalid(f"{absent[0]}: must be used by the trial that is checked; it uses {there}")
    for part in parts:
        yield _passed((part,), "declaration", partial(check_declared, part))
        if issubclass(part, SEARCHED) and {"suggest", "nothing_to_search"} & set(vars(part)):
            yield _passed((part,), "suggest", partial(check_suggest, uses[part]))
    with TemporaryDirectory(prefix="contract-") as folder:
        storage = Storage(Path(folder))
        start = partial(started, trial, storage, site)
        for what, check in CHECKS.items():
            yield _passed(parts, what, partial(check, start))
        yield _passed(parts, "resumed", partial(_check_killed, trial, storage, site, _all(parts)))


def shortened(trial: Trial) -> Trial:
    """The trial with its parts, in three epochs of two steps, with 20 images to train on.

    Where a part's settings need more epochs, it has as few as they allow. Unequal classes keep
    their images, in larger batches. Raises Invalid where not even the trial's own epochs do.
    """
    for epochs in range(EPOCHS, trial.recipe.epochs):
        try:
            return _cut(trial, epochs)
        except Invalid:  # by a part's `check_recipe`
            continue
    return _cut(trial, max(EPOCHS, trial.recipe.epochs))


def _cut(trial: Trial, epochs: int) -> Trial:
    data, recipe, scale = trial.data, trial.recipe, epochs / trial.recipe.epochs
    unequal = data.imbalance is not None
    return trial.but(
        data=data.but(
            train_per_class=None if unequal else IMAGES,
            train_share=None,
            meta_per_class=IMAGES if data.has_meta else None,
            meta_drawn="before",
            validation=VALIDATION,
            test=False,
        ),
        recipe=recipe.but(
            epochs=epochs,
            batch_size=UNEQUAL_BATCH if unequal else BATCH,
            milestones=tuple(scale * milestone for milestone in recipe.milestones),
            warmup_epochs=scale * recipe.warmup_epochs,
            keep=min(recipe.keep, epochs),
        ),
    )


def _check_killed(trial: Trial, storage: Storage, site: Site, who: str) -> None:
    """Raises Invalid where a training that is killed ends otherwise than an undisturbed one."""
    steps, before_last = started(trial, storage, site).task.steps, trial.recipe.epochs - 1
    train(trial, storage, site, who)
    undisturbed = outcome(trial, storage)
    moments = ((kill_after_epoch, before_last), (kill_in_step, before_last * steps))
    for kill, moment in moments:
        storage.trial(trial.id).clear()
        kill(moment, trial, storage, site)
        check_resumed(trial, storage, site, undisturbed, who)


def _passed(parts: Sequence[type], what: str, check: Callable[[], None]) -> str:
    """The check's line. What a training prints is for a trial's log, and is left out."""
    try:
        with torch.random.fork_rng(devices=[]), redirect_stdout(StringIO()):
            check()
    except Invalid:
        raise
    except Exception as error:
        raise _told(parts, what, error) from error
    return f"{_all(parts)}: {what}"


def _all(parts: Sequence[type]) -> str:
    return ", ".join(part.__name__ for part in parts)


def _told(parts: Sequence[type], what: str, error: Exception) -> Invalid:
    """The error with the last place in the code of one of the classes, or else the last place."""
    who = _all(parts)
    for frame, line in traceback.walk_tb(error.__traceback__):
        place = f"{frame.f_code.co_filename}:{line}"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module, name = frame.f_globals.get("__name__"), frame.f_code.co_qualname
        here = [part for part in parts if part.__module__ == module]
        for part in [p for p in here if name.startswith(f"{p.__qualname__}.")] or here[:1]:
            who, place = part.__name__, f"{frame.f_code.co_filename}:{line}"
    message = " ".join(str(error).split())
    return Invalid(f"{who}: {what}: {type(error).__name__}: {message} ({place})")
