"""Every part that says it splits: what it makes of a batch is what it makes of the parts."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tests.trainables.small import SITE
from tests.trainables.test_contract import TRIALS
from trainables.contract.begun import first_batch
from trainables.contract.resumed import started
from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.settings import Use, classes_of
from trainables.storage.storage import Storage
from trainables.targets.targets import Targets
from trainables.training.run import Run
from trainables.training.workers import unsplit
from trainables.trial import Trial

METHODS = [name for name in classes_of(Method) if name in TRIALS and name != "Method"]
HALVES = slice(0, 10), slice(10, 20)


def splits(use: Use) -> bool:
    return bool(use.part.splits(**dict(use.items)))


def rows(batch: Batch, some: slice) -> Batch:
    other = None if batch.other is None else batch.other[some]
    return replace(batch, x=batch.x[some], y=batch.y[some], index=batch.index[some], other=other)


def objective(trial: Trial, storage: Storage, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(20,) of a batch at once, and of its halves."""
    run = started(trial, storage, SITE)
    run.method.eval()
    model, batch = run.method.model, first_batch(run)
    with torch.no_grad():
        out = model(batch.x)
        parts = [(batch, out)]
        parts += [(rows(batch, half), out.each(lambda x, half=half: x[half])) for half in HALVES]
        found = []
        for part in parts:
            torch.manual_seed(seed)
            found.append(model.objective(*part))
    return found[0], torch.cat(found[1:])


def gradients(trial: Trial, storage: Storage, epoch: int, some: slice, seed: int) -> list[Tensor]:
    """Of a step on these rows, in which batch norm has its running statistics."""
    run: Run = started(trial, storage, SITE)
    run.start_epoch(epoch)
    run.method.train()
    for module in run.method.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    found: list[Tensor] = []

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        found.extend(weight.grad.clone() for weight in weights if weight.grad is not None)

    for optimizer in run.method.optimizers().values():
        optimizer.register_step_pre_hook(note)
    torch.manual_seed(seed)
    run.method.update(rows(first_batch(run), some), 0.1)
    return found


@pytest.mark.parametrize(
    "name", [n for n in TRIALS if n in (*classes_of(Targets), *classes_of(Loss))]
)
def test_an_image_s_loss_depends_on_no_other_image(name: str, tmp_path: Path) -> None:
    trial, of = TRIALS[name], partial(objective, storage=Storage(tmp_path))
    if not (splits(trial.targets) and splits(trial.loss)):
        return
    whole, parts = of(trial)
    if torch.equal(whole, of(trial, seed=1)[0]):  # else it draws: each worker by its own chance
        assert_close(whole, parts)


@pytest.mark.parametrize("epoch", [0, 2])
@pytest.mark.parametrize("name", ["OneHot", *(m for m in METHODS if not unsplit(TRIALS[m], 2))])
def test_the_gradient_of_a_batch_is_the_mean_of_its_halves(
    name: str, epoch: int, tmp_path: Path
) -> None:
    of = partial(gradients, TRIALS[name], Storage(tmp_path), epoch)
    whole, again = of(slice(0, 20), 0), of(slice(0, 20), 1)
    if all(torch.equal(one, other) for one, other in zip(whole, again, strict=True)):
        for gradient, *halves in zip(whole, *(of(half, 0) for half in HALVES), strict=True):
            assert_close(gradient, sum(halves) / 2, rtol=1e-3, atol=1e-5)
