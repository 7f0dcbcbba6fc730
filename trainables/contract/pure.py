"""What changes no state, and what nothing but the trial's seed decides."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from trainables.contract.begun import Start, first_batch, owner
from trainables.contract.bits import bits, different
from trainables.contract.shown import demand
from trainables.seeding import reseed
from trainables.settings import Invalid
from trainables.training.run import Run


@contextmanager
def undrawn(who: str, torch_seeded: bool) -> Iterator[None]:
    """Raises Invalid where what runs inside draws from a global generator that is not seeded."""
    before = _generators()
    yield
    for name, state in _generators().items():
        if state != before[name] and not (torch_seeded and name == "torch"):
            seeded = " or from torch's global one" if torch_seeded else ""
            valid = f"a generator of its own{seeded}, since nothing seeds another"
            raise Invalid(f"{who} must draw from {valid}; it drew from {name}'s global one")


def _generators() -> dict[str, bytes]:
    of_numpy: Any = np.random.get_state(legacy=False)
    key, *rest = of_numpy["state"].values()
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "random": repr(random.getstate()).encode(),
        "numpy.random": key.tobytes() + repr((rest, of_numpy["has_gauss"])).encode(),
    }


@contextmanager
def unchanged(run: Run, doing: str) -> Iterator[None]:
    """Raises Invalid, naming the part, where what runs inside changes the method's state."""
    before = bits(run.method.state_dict())
    yield
    if changed := different(before, bits(run.method.state_dict())):
        who = owner(run.trial, changed[0])
        raise Invalid(f"{who}: {doing} must change no state; it changed {changed[0]}")


def check_start(start: Start) -> None:
    """Raises Invalid for a part whose first state depends on what was drawn before."""
    torch.manual_seed(1)
    run = start()
    torch.manual_seed(2)
    if changed := different(run.method.state_dict(), start().method.state_dict()):
        valid = "must start the same whatever was drawn before, as by generator(task.seed, ...)"
        raise Invalid(f"{owner(run.trial, changed[0])}: {valid}; {changed[0]} does not")


def check_purity(start: Start) -> None:
    """Raises Invalid for targets or a loss that change state, or are not the same again."""
    run = start()
    trial, model, batch = run.trial, run.method.model, first_batch(run)
    out = model(batch.x)
    for who, give in ((trial.targets.name, model.target), (trial.loss.name, model.objective)):
        values = []
        with unchanged(run, "its forward"), undrawn(f"{who}: its forward", torch_seeded=True):
            for _ in range(2):
                reseed(0, run.site.device)
                values.append(give(batch, out))
        if different(*values):
            valid = "must give the same again for the same batch and seed"
            raise Invalid(f"{who}: its forward {valid}; it gave another value")


def check_evaluation(start: Start) -> None:
    """Raises Invalid where evaluating changes state, draws, or gives scores of another shape."""
    run = start()
    run.method.eval()
    name, batch = run.trial.method.name, first_batch(run)
    with torch.no_grad(), unchanged(run, "evaluation"):
        with undrawn(f"{name}: its predict", torch_seeded=False):
            scores = run.method.predict(batch.x)
    what = f"{name}: its predict must give a finite number for each class"
    demand(what, scores, len(batch.y), run.task.classes)
