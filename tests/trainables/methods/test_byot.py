from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn, tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from tests.trainables.test_contract import started
from trainables.contract.bits import different
from trainables.losses.knowledge import KnowledgeLoss
from trainables.methods.byot import BYOT, Side, separable, softened
from trainables.nets.net import Net
from trainables.nets.resnext import ResNeXt29
from trainables.nets.torchvision_nets import MobileNetV2, ResNet18
from trainables.settings import Invalid, Use
from trainables.targets.bootstrap import Bootsoft
from trainables.targets.online import Online
from trainables.targets.smooth import Smooth
from trainables.task import Task

P, T = tensor([[0.5, 0.5]]).log(), tensor([[0.8, 0.2]]).log()
KL = 0.8 * log(0.8 / 0.5) + 0.2 * log(0.2 / 0.5)  # of T from P


class Stages(Net):
    """Two stages, each of which is the image itself; the pixel at the top left is the feature."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = 1

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return x[:, :, 0, 0], (x, x)


class First(nn.Module):
    """In place of an adapter: the lit pixel, doubled, as a map."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x[:, :, :1, :1]


def byot(settings: dict[str, Any] | None = None, **changes: Any) -> BYOT:
    """Of the lit image the deepest says (1, 4, 1) / 6 and the side classifier (4, 1, 1) / 6."""
    built: BYOT = pixel_method(BYOT, [0, 1, 2], settings, **{"net": Use(Stages), **changes})
    (side,) = built.sides
    with torch.no_grad():
        side.adapter = nn.Sequential(First())
        side.head.classifier.bias.zero_()
        side.head.classifier.weight.copy_(tensor([[log(4) / 2], [0], [0]]))
        built.model.head.classifier.weight[1, 0] = log(4)
    return built


def loss(settings: dict[str, Any], y: int = 0, **changes: Any) -> Tensor:
    return byot(settings, **changes).update(batch([y], X), lr=0.0)["loss"]


def test_the_teacher_is_a_constant_and_the_squared_temperature_multiplies() -> None:
    scores, teacher = (3 * P).requires_grad_(), (3 * T).requires_grad_()
    apart = softened(scores, teacher, 3.0)
    assert_close(apart, tensor([9 * KL]))
    apart.backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None
    assert_close(scores.grad, 3 * (P.exp() - T.exp()))


def test_the_loss_is_the_objective_and_for_each_side_label_teacher_and_hint() -> None:
    objective, label = -log(1 / 6), -log(4 / 6)
    assert_close(loss({"alpha": 0}), tensor(objective + label))
    taught = 4 / 6 * log(4) + 1 / 6 * log(1 / 4)  # KL of (1, 4, 1) / 6 from (4, 1, 1) / 6
    assert_close(loss({"alpha": 1, "temperature": 1}), tensor(objective + taught))
    mixed = objective + 0.75 * label + 0.25 * taught
    assert_close(loss({"alpha": 0.25, "temperature": 1}), tensor(mixed))
    # The side's feature is 2 where the deepest's is 1.
    assert_close(loss({"alpha": 0, "hint": 0.5}), tensor(objective + label + 0.5))


class Scaled(Net):
    """Two stages: the image and its mirror image as channels. Two features, that are scaled."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = 2
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        maps = torch.cat([x, x.flip(3)], 1)
        return self.scale * maps[:, :, 0, 0], (maps, maps)


def test_the_hint_is_the_distance_of_all_features_and_no_gradient_of_the_deepests() -> None:
    settings = {"alpha": 0, "hint": 0.5}
    built: BYOT = pixel_method(BYOT, [0, 1, 2], settings, net=Use(Scaled))
    (side,) = built.sides
    side.adapter = nn.Sequential(First())
    with torch.no_grad():
        for weight in side.head.parameters():
            weight.zero_()
        built.model.net.scale.fill_(1.0)
    # Of the lit image the deepest features are (1, 0), the side's (2, 0); all say 1/3.
    metrics = built.update(batch([0], X), lr=0.3)
    assert_close(metrics["loss"], tensor(2 * log(3) + 0.5))
    assert built.model.net.scale == 1


def test_the_loss_is_the_mean_over_the_batch() -> None:
    two = byot({"alpha": 0.5}).update(batch([0, 0], torch.cat([X, X])), lr=0.0)["loss"]
    assert_close(two, loss({"alpha": 0.5}))


def test_every_classifier_has_the_same_target() -> None:
    label = -(0.8 * log(4 / 6) + 0.2 * log(1 / 6))
    deepest = -(0.9 * log(1 / 6) + 0.1 * log(4 / 6))
    said = loss({"alpha": 0}, targets=Use(Smooth, epsilon=0.3))
    assert_close(said, tensor(label + deepest))


def test_a_loss_that_takes_logarithms_has_them_for_every_classifier() -> None:
    settings = {"targets": Use(Smooth, epsilon=0.3), "loss": Use(KnowledgeLoss, alpha=0)}
    # KL(p || g) with g = (0.8, 0.1, 0.1), of p = (1, 4, 1) / 6 and of (4, 1, 1) / 6.
    deepest = log(1 / 6 / 0.8) / 6 + 4 * log(4 / 6 / 0.1) / 6 + log(1 / 6 / 0.1) / 6
    label = 4 * log(4 / 6 / 0.8) / 6 + 2 * log(1 / 6 / 0.1) / 6
    assert_close(loss({"alpha": 0}, **settings), tensor(deepest + label))


def test_the_deepest_has_the_gradient_of_its_objective_alone() -> None:
    settings = {"alpha": 0.5, "hint": 1.0}
    for targets in (Use(Smooth), Use(Bootsoft, beta=0.6)):
        built = byot(settings, targets=targets)
        before = built.model.head.classifier.weight.detach().clone()
        out = built.model(X)
        built.model.objective(batch([0], X), out).mean().backward()
        gradient = built.model.head.classifier.weight.grad.clone()
        built.update(batch([0], X), lr=0.3)
        assert_close(before - built.model.head.classifier.weight.detach(), 0.3 * gradient)


def test_the_side_classifier_learns_at_the_same_rate() -> None:
    built = byot({"alpha": 0})
    before = built.sides[0].head.classifier.weight.detach().clone()
    built.update(batch([0], X), lr=0.3)
    step = built.sides[0].head.classifier.weight.detach() - before
    assert_close(step[:, 0], 0.3 * 2 * tensor([2 / 6, -1 / 6, -1 / 6]))


def test_the_deepest_is_what_targets_observe_and_what_predicts() -> None:
    built = byot(targets=Use(Online))
    built.update(batch([1], X), lr=0.0)
    assert_close(built.model.targets.sums[1], tensor([1 / 6, 4 / 6, 1 / 6]))
    assert_close(built.predict(X).softmax(1), tensor([[1 / 6, 4 / 6, 1 / 6]]))


def test_a_separable_step_ends_at_the_next_stages_shape() -> None:
    for side, stride, after in ((8, 2, 4), (7, 2, 4), (4, 1, 4)):
        maps = separable(6, 10, stride)(torch.zeros(2, 6, side, side))
        assert maps.shape == (2, 10, after, after)


@pytest.mark.parametrize(
    ("net", "sides"), [(None, 2), (Use(ResNeXt29), 2), (Use(ResNet18), 3), (Use(MobileNetV2), None)]
)
def test_every_net_has_a_side_classifier_after_each_stage_but_the_last(
    net: Use | None, sides: int | None, tmp_path: Path
) -> None:
    changes = {} if net is None else {"net": net.demo()}
    built = started(small_trial(method=Use(BYOT), **changes), tmp_path).method
    model = built.model.eval()
    built.sides.eval()
    out = model(torch.rand(4, 1, 8, 8))
    assert len(built.sides) == (sides or len(out.stages) - 1)
    for side, maps in zip(built.sides, out.stages, strict=False):
        assert isinstance(side, Side)
        assert side(maps).features.shape == out.features.shape
        assert side(maps).scores.shape == (4, 10)


def test_the_kept_model_has_no_side_classifiers(tmp_path: Path) -> None:
    built, plain = (
        started(small_trial(**changes), tmp_path).method.model
        for changes in ({"method": Use(BYOT)}, {})
    )
    assert different(built.state_dict(), plain.state_dict()) == []


def test_alpha_is_a_share() -> None:
    with pytest.raises(Invalid, match=r"BYOT.alpha = 1.5: must lie in \[0, 1\]"):
        Use(BYOT, alpha=1.5)
