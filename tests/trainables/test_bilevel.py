"""The hyper-gradient by hand, in two ways, and against differences."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn, tensor
from torch.testing import assert_close

from tests.trainables.small import SITE, X, batch, pixel_method, small_trial
from trainables.bilevel import double_backward, forward_mode, meta_loss, weights_of
from trainables.data.data import Batch
from trainables.data.loader import training_batches
from trainables.methods.advisor import Advisor
from trainables.methods.gdw import GDW
from trainables.methods.l2rw import L2RW
from trainables.methods.meta_learned import MetaLearned
from trainables.methods.mw_net import MWNet
from trainables.model import Model
from trainables.settings import Use
from trainables.storage.folder import Folder
from trainables.storage.trial_files import TrialFiles
from trainables.tangent import Pass
from trainables.training.run import Run

METHODS = {
    "MW-Net": Use(MWNet),
    "MW-Net, normalised": Use(MWNet, normalised=True),
    "MFRW": Use(Advisor, weighs="features"),
    "MES": Use(Advisor, weighs="softmax"),
    "MFRW-MES": Use(Advisor),
    "L2RW, look-ahead": Use(L2RW, look_ahead=True),
    "GDW": Use(GDW),
}
# Their hyper-gradient is not all of the meta loss's slope.
LAYERS = {
    "MW-Net, last layers": Use(MWNet, layers=5),
    "MFRW-MES, last layers": Use(Advisor, layers=3),
    "MES, the head alone": Use(Advisor, weighs="softmax", layers=0),
}
every_method = pytest.mark.parametrize("use", METHODS.values(), ids=METHODS)
in_float32 = (L2RW, GDW)  # what the hyper-gradient is taken by is made in float32


def by_hand(way: Callable[..., tuple[Tensor, ...]]) -> Tensor:
    """Two images of one lit pixel, labelled 0 and 1, weighed by zero; a clean one labelled 0."""
    model = pixel_method(L2RW, [0, 1, 2], **{"data.meta_per_class": 1}).model
    images, eps = batch([0, 1], X.repeat(2, 1, 1, 1)), torch.zeros(2, requires_grad=True)
    shown = Pass(model, images.x)

    def objective(features: Tensor) -> Tensor:
        losses = nn.functional.cross_entropy(model.head(features), images.y, reduction="none")
        return (eps * losses).sum()

    meta = partial(meta_loss, model, batch=batch([0], X))
    if way is double_backward:
        way = partial(way, model=model, features=shown.out.features)
    else:
        way = partial(way, shown=shown)
    (gradient,) = way(objective=objective, meta=meta, theta=[eps], lr=0.5)
    return gradient


@pytest.mark.parametrize("way", [forward_mode, partial(forward_mode, lean=True), double_backward])
def test_by_hand(way: Callable[..., tuple[Tensor, ...]]) -> None:
    # Softmax 1/3 each: gradients p - e_0 and p - e_1, times the lit pixel and the bias: doubled.
    # <p - e_0, p - e_0> = 6/9 and <p - e_1, p - e_0> = -3/9; the rate is a half.
    assert_close(by_hand(way), -0.5 * 2 * tensor([6 / 9, -3 / 9]))


def started(use: Use, path: Path, **settings: Any) -> tuple[MetaLearned, Batch]:
    """A small net with batch norm, in training mode and float64, with its first batch."""
    trial = small_trial(method=use.but(**settings), **{"data.meta_per_class": 2})
    run = Run(trial, TrialFiles(Folder(path / "run")), SITE)
    drawn = next(training_batches(run.data, 20, [], 0, 0, meta=True))
    assert drawn.meta is not None
    method = run.method.double().train()
    assert isinstance(method, MetaLearned)
    meta = replace(drawn.meta, x=drawn.meta.x.double())
    return method, replace(drawn, x=drawn.x.double(), meta=meta)


def learned(
    use: Use, path: Path, way: str, double: bool = True
) -> tuple[MetaLearned, Batch, list[Tensor]]:
    """A method after a step, and the hyper-gradient that it learned from."""
    method, drawn = started(use, path, gradient=way)
    if not double:
        method, drawn = method.float(), replace(drawn, x=drawn.x.float())
        assert drawn.meta is not None
        drawn = replace(drawn, meta=replace(drawn.meta, x=drawn.meta.x.float()))
    noted: list[Tensor] = []
    learn = method.learn

    def note(gradient: Any) -> None:
        noted.extend(g.clone() for g in gradient)
        learn(gradient)

    method.learn = note  # type: ignore[method-assign]
    torch.manual_seed(3)
    method.update(drawn, lr=0.1)
    return method, drawn, noted


def far(one: list[Tensor], other: list[Tensor]) -> float:
    a, b = (torch.cat([x.flatten() for x in xs]).double() for xs in (one, other))
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("use", {**METHODS, **LAYERS}.values(), ids=[*METHODS, *LAYERS])
def test_both_ways_agree_and_in_float32_too(use: Use, tmp_path: Path) -> None:
    _, _, exact = learned(use, tmp_path / "1", "double")
    _, _, forward = learned(use, tmp_path / "2", "forward")
    assert far(forward, exact) < (1e-6 if use.part in in_float32 else 1e-14)
    _, _, single = learned(use, tmp_path / "3", "forward", double=False)
    assert far(single, exact) < 3e-5


@pytest.mark.parametrize("use", {**METHODS, **LAYERS}.values(), ids=[*METHODS, *LAYERS])
def test_lean_is_the_same_to_the_last_bit(use: Use, tmp_path: Path) -> None:
    kept, _, gradient = learned(use, tmp_path / "1", "forward", double=False)
    lean, _, again = learned(use, tmp_path / "2", "lean", double=False)
    assert all(a.equal(b) for a, b in zip(gradient, again, strict=True))
    states = [method.model.state_dict().values() for method in (kept, lean)]
    assert all(one.equal(other) for one, other in zip(*states, strict=True))


def test_through_as_many_layers_as_there_are_it_is_the_whole(tmp_path: Path) -> None:
    whole, all_layers, some = (
        learned(Use(MWNet, layers=layers), tmp_path / str(layers), "forward")[2]
        for layers in (None, 1000, 5)
    )
    assert far(all_layers, whole) == 0
    assert far(some, whole) > 0.01


@every_method
def test_it_is_the_slope_of_the_meta_loss_along_a_random_direction(
    use: Use, tmp_path: Path
) -> None:
    method, drawn = started(use, tmp_path, gradient="forward")
    model = method.model
    shown = Pass(model, drawn.x)
    features = shown.out.features
    losses = method.cross_entropies(features, drawn.y).detach()
    torch.manual_seed(3)
    theta = [t.detach().double().clone() for t in method.begin(drawn.y)]
    direction = [torch.randn_like(t) for t in theta]

    def after(step: float) -> tuple[Tensor, Any, list[Tensor]]:
        """The meta loss with theta moved along the direction."""
        moved = [t.detach() + step * d for t, d in zip(theta, direction, strict=True)]
        if isinstance(method, L2RW):
            method.weights = moved[0].requires_grad_()
            used = [method.weights]
        else:
            used = [*method.net.parameters()]  # type: ignore[attr-defined]
            if isinstance(method, GDW):
                used.append(method.offset)
            with torch.no_grad():
                for weight, value in zip(used, moved, strict=True):
                    weight.copy_(value)
        advice = method.advise(features.detach(), losses)
        objective = method._objective(drawn.y, advice)
        weights = weights_of(model)
        slope = torch.autograd.grad(
            objective(features), list(weights.values()), retain_graph=True, materialize_grads=True
        )
        ahead = {n: w - 0.1 * g for (n, w), g in zip(weights.items(), slope, strict=True)}
        return meta_loss(model, ahead, drawn.meta), objective, used  # type: ignore[arg-type]

    width = 1e-6
    expected = (after(width)[0] - after(-width)[0]) / (2 * width)
    _, objective, used = after(0.0)
    meta = partial(meta_loss, model, batch=drawn.meta)
    found = forward_mode(shown, objective, meta, used, 0.1)
    slope = sum((g * d).sum() for g, d in zip(found, direction, strict=True))
    assert_close(slope, expected.detach(), rtol=1e-6, atol=1e-9)


@every_method
def test_running_statistics_move_once_by_the_batch_and_not_by_the_meta_batch(
    use: Use, tmp_path: Path
) -> None:
    method, drawn = started(use, tmp_path / "1")
    plain, _ = started(use, tmp_path / "2")
    method.update(drawn, lr=0.1)
    plain.model(drawn.x)
    for (name, one), other in zip(method.model.named_buffers(), plain.model.buffers(), strict=True):
        assert one.equal(other), name


def test_if_asked_the_meta_batch_moves_the_running_statistics_too(tmp_path: Path) -> None:
    moved, drawn = started(Use(MWNet, noted=True), tmp_path / "1")
    left, _ = started(Use(MWNet), tmp_path / "2")
    for method in (moved, left):
        method.update(drawn, lr=0.1)
    passes = [
        {int(b) for n, b in method.model.named_buffers() if n.endswith("num_batches_tracked")}
        for method in (moved, left)
    ]
    assert passes == [{2}, {1}]


class Halved(nn.Module):
    """A net whose features are a random half of the pixels, times a weight."""

    features = 4

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.dropout = nn.Dropout()

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.dropout(x.flatten(1) * self.scale), (x,)


def test_chance_inside_the_net_is_the_same_in_the_tangent() -> None:
    gradients = {}
    for way in ("forward", "lean", "double"):
        method = pixel_method(MWNet, [0, 1, 2], {"gradient": way}, **{"data.meta_per_class": 1})
        model: Model = method.model
        model.net = Halved()  # type: ignore[assignment]
        with torch.no_grad():
            model.head.classifier.weight.copy_(torch.arange(12.0).view(3, 4) / 12)
        torch.manual_seed(1)
        x = torch.rand(8, 1, 2, 2)
        images = replace(batch([0, 1, 2, 0, 1, 2, 0, 1], x), meta=batch([0, 1, 2], x[:3]))
        torch.manual_seed(5)
        method.update(images, lr=0.5)
        gradients[way] = [weight.grad.clone() for weight in method.net.parameters()]
    assert far(gradients["forward"], gradients["double"]) < 1e-5
    assert far(gradients["lean"], gradients["forward"]) == 0


@every_method
def test_in_the_recipes_bfloat16_it_is_computed_too_and_a_little_off(
    use: Use, tmp_path: Path
) -> None:
    noted = {}
    for way in ("forward", "double"):
        chosen = use.but(gradient=way, precision="recipe")
        settings = {"data.meta_per_class": 2, "recipe.precision": "bfloat16"}
        trial = small_trial(method=chosen, **settings)
        run = Run(trial, TrialFiles(Folder(tmp_path / way)), SITE)
        batches = training_batches(run.data, 20, [], 0, 0, meta=True)
        found: list[Tensor] = []
        learn = run.method.learn
        run.method.learn = lambda g, to=found, then=learn: (to.extend(g), then(g))
        torch.manual_seed(3)
        run.method.train().update(next(batches), lr=0.1)
        noted[way] = [g.clone() for g in found]
    assert 1e-5 < far(noted["forward"], noted["double"]) < 0.2
