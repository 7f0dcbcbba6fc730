"""Tasks: what the parts of a trial are told of their training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.data.data import Data
from trainables.data.loader import steps_of
from trainables.model import Model, fresh
from trainables.task import Changes, Parts, Task
from trainables.training.site import Site
from trainables.trial import Trial

Trained = Callable[[Trial], dict[str, Any]]  # the final state of a finished trial's model


def task_for(
    trial: Trial,
    names: tuple[str, ...],
    y: Tensor,
    *,
    channels: int,
    side: int,
    steps: int,
    folder: Path,
    device: torch.device,
    trained: Trained | None = None,
) -> Task:
    """The task of a trial on these labels. Without `trained` a teacher keeps its first weights."""

    def teacher(changes: Changes) -> Model:
        other = trial.teacher(changes)
        model = fresh(replace(task, recipe=other.recipe, parts=_parts(other)), "teacher")
        if trained:
            model.load_state_dict(trained(other))
        return model.eval().requires_grad_(False)

    task = Task(
        recipe=trial.recipe,
        seed=trial.seed,
        parts=_parts(trial),
        names=names,
        y=y,
        channels=channels,
        side=side,
        steps=steps,
        folder=folder,
        device=device,
        teacher=teacher,
    )
    return task


def task_of(trial: Trial, data: Data, site: Site, trained: Trained | None = None) -> Task:
    """What the parts of the trial are told of their training."""
    return task_for(
        trial,
        data.names,
        data.train.y,
        channels=data.mean.shape[1],
        side=data.side,
        steps=steps_of(len(data.train), trial.recipe.batch_size),
        folder=site.folder,
        device=site.device,
        trained=trained,
    )


def _parts(trial: Trial) -> Parts:
    return Parts(trial.net, trial.head, trial.targets, trial.loss)
