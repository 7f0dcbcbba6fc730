"""What a training step tells and calls, and whether the state has all that it depends on."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from trainables.contract.begun import Start, begun, first_batch
from trainables.contract.bits import different
from trainables.contract.pure import undrawn
from trainables.contract.shown import demand
from trainables.seeding import reseed
from trainables.settings import Invalid
from trainables.task import Out

PLAIN = (bool, int, float, str, Tensor)  # attributes that are held against each other


def check_step(start: Start) -> None:
    """Raises Invalid for a step that lacks a metric, or tells more than finite scalars."""
    run = begun(start)
    name = run.trial.method.name
    with undrawn(f"{name}: its update", torch_seeded=True):
        metrics = run.method.update(first_batch(run), run.trial.recipe.lr)
    if missing := [metric for metric in ("loss", "accuracy") if metric not in metrics]:
        raise Invalid(f"{name}: its update must give {missing[0]}; it gave {', '.join(metrics)}")
    for metric, value in metrics.items():
        demand(f"{name}: its update must give {metric} as a finite scalar", value)
        if value.requires_grad:
            valid = "must give metrics without gradient, as by detach()"
            raise Invalid(f"{name}: its update {valid}; {metric} has one")


def check_observe(start: Start) -> None:
    """Raises Invalid for a method that does not let its targets and loss observe once a step."""
    run = begun(start)
    method, name, replaces = run.method, run.trial.method.name, run.trial.method.part.replaces
    batch, told = first_batch(run), Counter[str]()
    for field in ("targets", "loss"):
        if field not in replaces:
            _count(name, getattr(method.model, field), f"{field}.observe", told)
    for step in (1, 2, 3):
        method.update(batch, run.trial.recipe.lr)
        for called, times in told.items():
            if times != step:
                valid = f"must call {called} once; after {step} there were {times} calls"
                raise Invalid(f"{name}: its update {valid}")
    if "targets" not in replaces:
        _count(name, method.model.targets, "targets.end_epoch", told)
        method.end_epoch()
        if (times := told["targets.end_epoch"]) != 1:
            valid = f"must call targets.end_epoch once; there were {times} calls"
            raise Invalid(f"{name}: its end_epoch {valid}")


def _count(name: str, part: nn.Module, called: str, told: Counter[str]) -> None:
    """From now on calls of this object are counted. One with a gradient raises Invalid."""
    call = called.split(".")[1]
    given: Callable[..., None] = getattr(part, call)
    told[called] = 0

    def counted(*arguments: Any) -> None:
        told[called] += 1
        outs = [argument for argument in arguments if isinstance(argument, Out)]
        if outs and (torch.is_grad_enabled() or any(out.scores.requires_grad for out in outs)):
            raise Invalid(f"{name}: its update must call {called} without gradient; it has one")
        given(*arguments)

    setattr(part, call, counted)


def check_state(start: Start) -> None:
    """Raises Invalid where a step depends on more than the method's state_dict() holds."""
    run, loaded = begun(start), start()
    batch, lr = first_batch(run), run.trial.recipe.lr
    for seed in (0, 1):
        reseed(seed, run.site.device)
        run.method.update(batch, lr)
    loaded.method.load_state_dict(deepcopy(run.method.state_dict()))
    loaded.method.train()
    lost = _lost(run.method, loaded.method)
    found = []
    for method in (run.method, loaded.method):
        reseed(2, run.site.device)
        found.append({"metrics": method.update(batch, lr), "state": method.state_dict()})
    if changed := different(*found):
        who, hint = lost or (run.trial.method.name, "")
        valid = "its state_dict() must have all that a step depends on"
        raise Invalid(
            f"{who}: {valid}{hint}; after loading it the next step has other {changed[0]}"
        )


def _lost(method: nn.Module, loaded: nn.Module) -> tuple[str, str] | None:
    """The class, and in words the attribute, of the first that a loaded method has otherwise."""
    for one, other in zip(method.modules(), loaded.modules(), strict=True):
        for name, value in vars(one).items():
            if isinstance(value, PLAIN) and different(value, vars(other).get(name)):
                return type(one).__name__, f", as {name}"
    return None
