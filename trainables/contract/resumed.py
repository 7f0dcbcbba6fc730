"""Trainings that are killed, and must end bit for bit as one that nothing disturbed."""

import math
from contextlib import suppress
from typing import Any

from torch import Tensor

from trainables.contract.bits import different
from trainables.data.data import Batch
from trainables.seeding import reseed
from trainables.selection import CLOCK, Epoch
from trainables.settings import Invalid
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.run import Run
from trainables.training.site import Site
from trainables.trial import Trial

TIMED = ("seconds", "ended", "site")  # what a result tells of time and place


class Killed(KeyboardInterrupt):
    """The process's end, at this moment."""


def started(trial: Trial, storage: Storage, site: Site) -> Run:
    """The trial as its files have it, with the nets of its teachers, which are trained first."""
    for teacher in trial.teachers():
        train(teacher, storage, site, "its teacher")
    return Run(
        trial,
        storage.trial(trial.id),
        site,
        lambda teacher: storage.trial(teacher.id).model(site.device),
    )


def kill_after_epoch(epoch: int, trial: Trial, storage: Storage, site: Site) -> None:
    """Trains until the end of the epoch, counted from 1."""

    def report(row: Epoch) -> None:
        if row["epoch"] == epoch:
            raise Killed

    with suppress(Killed):
        fit(trial, storage, site, report, told=_raise)
    assert storage.trial(trial.id).result() is None, "what was killed has no result"


def kill_in_step(step: int, trial: Trial, storage: Storage, site: Site) -> None:
    """Trains until the step, counted from 1; a checkpoint is made after every step before it."""
    run = started(trial, storage, site)
    update, name = run.captured.update, "update"

    def dying(batch: Batch, lr: float) -> dict[str, Tensor]:
        run.saved = -math.inf
        metrics = update(batch, lr)
        if run.step + 1 == step:
            raise Killed
        return metrics

    setattr(run.captured, name, dying)
    with suppress(Killed):
        run.train(lambda row: None)
    assert run.step + 1 == step, "it was killed in this step"


def train(trial: Trial, storage: Storage, site: Site, who: str) -> None:
    """Trains to the end what may be begun. Raises Invalid where that fails."""
    result = fit(trial, storage, site, told=_raise)
    if result.failed:
        raise Invalid(f"{who}: a training must come to its end; it failed: {result.reason}")


def check_resumed(
    trial: Trial, storage: Storage, site: Site, undisturbed: dict[str, Any], who: str
) -> None:
    """Trains on what was killed. Raises Invalid where its outcome is not the undisturbed one's."""
    reseed(99, site.device)  # another process has drawn other numbers
    train(trial, storage, site, who)
    if changed := different(outcome(trial, storage), undisturbed):
        valid = "a training that is killed and resumed must end bit for bit as any other"
        raise Invalid(f"{who}: {valid}; it has other {changed[0]}")


def outcome(trial: Trial, storage: Storage) -> dict[str, Any]:
    """The result and all files but for what tells of time and place."""
    shelf = storage.trial(trial.id).shelf
    result = shelf.read_json("result.json")
    history = [{k: v for k, v in row.items() if k not in CLOCK} for row in result["history"]]
    assert shelf.read_json("history.json") == result["history"], "the history is written once more"
    return {
        "result": {k: v for k, v in result.items() if k not in TIMED} | {"history": history},
        "files": shelf.names("*"),
        "model": shelf.load("model.pt"),
        "outputs": shelf.load("outputs.pt"),
    }


def _raise(error: Exception) -> None:
    raise error
