from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from trainables.optimizers import SGD, Adam

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], type[torch.optim.Optimizer], Any]] = {
    "SGD": (SGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    "Adam": (Adam, torch.optim.Adam, {"weight_decay": 0.1}),
}


@pytest.fixture(params=OPTIMIZERS)
def both(request: pytest.FixtureRequest) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Our optimizer and torch's, each to be called with weights."""
    ours, theirs, settings = OPTIMIZERS[request.param]
    return (lambda w: ours([w], lr=0.1, **settings)), (lambda w: theirs([w], lr=0.1, **settings))


def weights() -> nn.Parameter:
    return nn.Parameter(torch.linspace(-1, 1, 5))


def step(optimizer: torch.optim.Optimizer, w: Tensor) -> None:
    optimizer.zero_grad()
    w.pow(3).sum().backward()
    optimizer.step()


def test_the_steps_are_torchs_bit_for_bit(both: Any) -> None:
    ours, theirs = weights(), weights()
    one, other = both[0](ours), both[1](theirs)
    for rate in (0.1, 0.1, 0.01):
        one.param_groups[0]["lr"] = other.param_groups[0]["lr"] = rate
        step(one, ours)
        step(other, theirs)
        assert torch.equal(ours, theirs)


def test_each_goes_on_from_the_others_state(both: Any) -> None:
    ours, theirs = weights(), weights()
    one, other = both[0](ours), both[1](theirs)
    step(other, theirs)
    with torch.no_grad():
        ours.copy_(theirs)
    one.load_state_dict(deepcopy(other.state_dict()))
    step(one, ours)
    step(other, theirs)
    assert torch.equal(ours, theirs)
    assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)
