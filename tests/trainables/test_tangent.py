"""The tangent against torch's own, and what is not computed for it again."""

import gc
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from tests.trainables.nets.test_fused import NETS, built, images
from trainables.model import Model
from trainables.tangent import KEPT, Pass, copies

torch.set_num_threads(1)  # maps here are too small for more

every_net = pytest.mark.parametrize("name", NETS)


def directions(net: nn.Module, share: float) -> list[Tensor]:
    weights = list(net.parameters())
    torch.manual_seed(7)
    drawn = [torch.randn_like(weight) for weight in weights]
    return drawn[len(weights) - int(share * len(weights)) :]


class Alone(nn.Module):
    """A model that is its net."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> SimpleNamespace:
        return SimpleNamespace(features=self.net(x)[0])


def shown_to(net: nn.Module, x: Tensor) -> Pass:
    return Pass(cast(Model, Alone(net)), x)


def by_torch(net: nn.Module, x: Tensor, along: Sequence[Tensor]) -> Tensor:
    names = [name for name, _ in net.named_parameters()]
    last = names[len(names) - len(along) :]
    weights = dict(net.named_parameters())

    def features(*changed: Tensor) -> Tensor:
        new = dict(zip(last, changed, strict=True))
        out: Tensor = functional_call(net, {**weights, **new, **copies(net)}, (x,))[0]
        return out

    if not along:
        return torch.zeros_like(features())
    tangent: Tensor = jvp(features, tuple(weights[name] for name in last), tuple(along))[1]
    return tangent.detach()


class Counted(TorchDispatchMode):
    """How many convolutions are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.convolutions += func is torch.ops.aten.convolution.default
        return func(*args, **(kwargs or {}))


@every_net
@pytest.mark.parametrize(("training", "share"), [(True, 1), (False, 1), (True, 0.5), (True, 0)])
def test_it_is_that_of_torch(name: str, training: bool, share: float) -> None:
    """Along all weights, along the last half of them, and along none."""
    (net,), (x,) = built(name, 1), images(name, 3, 1)
    net(x)  # statistics of their own
    net.train(training)
    along = directions(net, share)
    expected = by_torch(net, x, along)
    shown = shown_to(net, x)
    assert_close(shown.tangent(along), expected, rtol=1e-10, atol=1e-12)


def test_along_each_weight_alone_too() -> None:
    (net,), (x,) = built("VGG", 1), images("VGG", 3, 1)
    every = directions(net, 1)
    for kept in range(6):  # a convolution's weight and bias, a batch norm's, and the next ones'
        along = [d if i == kept else torch.zeros_like(d) for i, d in enumerate(every)]
        shown = shown_to(net, x)
        expected = by_torch(net, x, along)
        assert_close(shown.tangent(along), expected, rtol=1e-10, atol=1e-12)


@every_net
def test_no_convolution_of_the_pass_is_made_again(name: str) -> None:
    (net,), (x,) = built(name, 1), images(name, 3, 1)
    with Counted() as first:
        shown = shown_to(net, x)
    with Counted() as again:
        shown.tangent(directions(net, 1))
    assert again.convolutions == 2 * first.convolutions - 1  # the images have no tangent
    shown = shown_to(net, x)
    with Counted() as none:
        shown.tangent([])
    assert none.convolutions == 0


def test_made_again_it_has_the_same_outputs_and_moves_no_statistics() -> None:
    (net,), (x,) = built("VGG", 1), images("VGG", 3, 1)
    along = directions(net, 1)
    expected = shown_to(net, x).tangent(along)
    lean = shown_to(net, x)
    first, statistics = lean.out.features, copies(net)
    lean.again()
    assert all(value.equal(statistics[name]) for name, value in net.named_buffers())
    assert lean.out.features.equal(first)
    assert lean.out.features.requires_grad
    assert lean.tangent(along).equal(expected)


@every_net
def test_of_a_graph_that_was_let_go_the_last_convolutions_are_not_made_again(name: str) -> None:
    (net,), (x,) = built(name, 1), images(name, 3, 1)
    with Counted() as whole:
        shown = shown_to(net, x)
    gradient = torch.autograd.grad(shown.out.features.square().sum(), list(net.parameters()))
    sizes = [out.nbytes for out, _ in shown._convolved.noted.values()]
    shown.let_go()
    kept = [out.nbytes for out, _ in shown._convolved.noted.values()]
    assert 0 < len(kept) < len(sizes)
    assert kept == sizes[-len(kept) :]
    assert sum(kept) <= KEPT * sum(sizes)
    with Counted() as again:
        shown.again()
    assert again.convolutions == whole.convolutions - len(kept)
    found = torch.autograd.grad(shown.out.features.square().sum(), list(net.parameters()))
    assert all(a.equal(b) for a, b in zip(found, gradient, strict=True))


def test_what_was_noted_is_let_go() -> None:
    (net,), (x,) = built("VGG", 1), images("VGG", 3, 1)
    along = directions(net, 1)
    shown = shown_to(net, x)
    first = shown.tangent(along)
    assert not any(shown._convolved.noted.values())
    assert_close(shown.tangent(along), first)


def test_a_pass_that_is_over_holds_nothing_until_garbage_is_collected() -> None:
    (net,), (x,) = built("VGG", 1), images("VGG", 3, 1)
    shown = shown_to(net, x)
    output = weakref.ref(next(iter(shown._convolved.noted.values()))[0])
    gc.disable()
    try:
        del shown
        assert output() is None
    finally:
        gc.enable()


class InPlace(nn.Module):
    """Rectifies what its convolution gave in place, so that what was noted is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 4, 3, padding="same", padding_mode="circular")

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        maps = self.second(self.first(x).relu_())
        return maps.mean((2, 3)), (maps,)


def test_a_convolution_whose_output_was_changed_is_made_again() -> None:
    torch.manual_seed(0)
    net, x = InPlace().double(), images("VGG", 3, 1)[0]
    along = directions(net, 1)
    shown = shown_to(net, x)
    with Counted() as counted:
        found = shown.tangent(along)
    assert_close(found, by_torch(net, x, along), rtol=1e-12, atol=1e-12)
    assert counted.convolutions == 1 + 1 + 2


def test_one_layer_that_is_used_twice_has_both_its_outputs() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 3, 3, padding=1)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            maps = self.layer(self.layer(x).tanh())
            return maps.mean((2, 3)), (maps,)

    net, x = Twice().double(), images("VGG", 3, 1)[0]
    along = directions(net, 1)
    shown = shown_to(net, x)
    with Counted() as counted:
        found = shown.tangent(along)
    expected = by_torch(net, x, along)
    assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert counted.convolutions == 1 + 2
    shown = shown_to(net, x)
    shown.let_go()  # of the first one alone
    with Counted() as counted:
        shown.again()
    assert_close(shown.tangent(along), expected, rtol=1e-12, atol=1e-12)
    assert counted.convolutions == 1


def test_outputs_in_bfloat16_do_not_stand_for_those_in_float32() -> None:
    (net,), (x,) = built("VGG", 1), images("VGG", 3, 1)
    net, x, along = net.float(), x.float(), directions(net.float(), 1)
    with torch.autocast("cpu", torch.bfloat16):
        rough = shown_to(net, x)
    assert_close(rough.tangent(along), shown_to(net, x).tangent(along))


def test_statistics_and_chance_stay_as_they_were() -> None:
    (net,), (x,) = built("VGG", 1), images("VGG", 3, 1)
    shown = shown_to(net, x)
    along = directions(net, 1)
    before, state = copies(net), torch.get_rng_state()
    shown.tangent(along)
    assert all(value.equal(before[name]) for name, value in net.named_buffers())
    assert torch.get_rng_state().equal(state)
