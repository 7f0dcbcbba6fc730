"""What the parts of a trial give for a batch: shapes, finite numbers, what targets say of them."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.contract.begun import Start, first_batch
from trainables.data.data import Batch
from trainables.seeding import reseed
from trainables.settings import Invalid
from trainables.targets.targets import Mass, Targets
from trainables.task import Out
from trainables.training.run import Run

STAGES = 3  # that a net has, at least: methods and figures take some of the middle


def demand(what: str, value: Any, *shape: int) -> None:
    """Raises Invalid, `what` with the shape, where the value is no tensor of it, or not finite."""
    gave = f"it gave a {type(value).__name__}"
    if isinstance(value, Tensor):
        if value.shape == shape and value.isfinite().all():
            return
        gave = f"it gave {tuple(value.shape)}"
        if value.shape == shape:
            gave = f"{int((~value.isfinite()).sum())} of its numbers are not finite"
    raise Invalid(f"{what}, shape {shape}; {gave}")


def check_shapes(start: Start) -> None:
    """Raises Invalid for what a part emits in another shape, or not in finite numbers."""
    run = start()
    trial, model, batch = run.trial, run.method.model, first_batch(run)
    net, head, targets = trial.net.name, trial.head.name, trial.targets.name
    n, classes = len(batch.y), run.task.classes
    with model.autocast():
        features, stages = model.net(batch.x)
    demand(f"{net}: its forward must give finite features", features, n, model.net.features)
    if len(stages) < STAGES or any(maps.dim() != 4 or len(maps) != n for maps in stages):
        gave = ", ".join(str(tuple(maps.shape)) for maps in stages) or "none"
        valid = f"the maps of {STAGES} stages at least, shape ({n}, channels, height, width) each"
        raise Invalid(f"{net}: its forward must give {valid}; it gave {gave}")
    out = model(batch.x)
    _demand_some(f"{head}: its forward must give finite numbers for each image", out.output, n)
    demand(f"{head}: its scores must be a finite number for each class", out.scores, n, classes)
    if out.scores.dtype != torch.float32:
        raise Invalid(f"{head}: its scores must be float32; they are {out.scores.dtype}")
    target = model.targets(batch, out)
    _demand_some(f"{targets}: its forward must give finite targets for each image", target, n)
    losses = model.objective(batch, out)
    demand(f"{trial.loss.name}: its forward must give one finite number an image", losses, n)


def _demand_some(what: str, value: Any, n: int) -> None:
    """As `demand`, of whatever shape behind the images."""
    behind = value.shape[1:] if isinstance(value, Tensor) else ()
    demand(what, value, n, *behind)


def check_mass(start: Start) -> None:
    """Raises Invalid for targets that are not what `mass` says, or whose `log` is not theirs."""
    use = start().trial.targets
    mass: Mass = use.part.mass(**dict(use.items))
    if mass == "none":
        return
    run = start()
    batch = first_batch(run)
    with torch.no_grad():
        target = run.method.model.targets(batch, run.method.model(batch.x))
    _check_shares(use.name, mass, target, run.task.classes)
    targets, batch, said = observed(run, sure=1)
    values = []
    for give in (targets, targets.log):
        reseed(0, run.site.device)
        values.append(give(batch, said))
    _check_shares(use.name, mass, values[0], run.task.classes)
    if not torch.allclose(values[1], values[0].log(), rtol=1e-5, atol=1e-5):
        raise Invalid(f"{use.name}: its log must give the logarithms of forward; it gave others")
    targets, batch, said = observed(start(), sure=1e4)
    if mass == "positive":
        what = f"{use.name}: its log must be finite for mass positive, however sure the net is"
        demand(what, targets.log(batch, said), *values[0].shape)


@torch.no_grad()
def observed(run: Run, sure: float) -> tuple[Targets, Batch, Out]:
    """Targets in their second epoch, and what a net that is so sure says of a batch."""
    model, batch = run.method.model, first_batch(run)
    out = model(batch.x)
    said = replace(out, scores=sure * F.one_hot(batch.y, run.task.classes) + out.scores)
    model.targets.observe(batch, said)
    model.targets.end_epoch()
    return model.targets, batch, said


def _check_shares(name: str, mass: Mass, target: Tensor, classes: int) -> None:
    demand(f"{name}: its forward must give a share for each class", target, len(target), classes)
    least, sums = float(target.min()), target.sum(1)
    if least < 0 or (mass == "positive" and least == 0):
        bound = "above 0" if mass == "positive" else "0 or more"
        raise Invalid(f"{name}: its shares must be {bound} for mass {mass}; one is {least:g}")
    off = sums - 1 if mass == "partial" else (sums - 1).abs()
    if off.max() > 1e-5:
        bound = "at most 1" if mass == "partial" else "1"
        found = float(sums[off.argmax()])
        raise Invalid(f"{name}: its shares must sum to {bound} for mass {mass}; some to {found:g}")
