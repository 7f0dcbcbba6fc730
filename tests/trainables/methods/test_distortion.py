from dataclasses import replace
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import (
    Pixels,
    X,
    batch,
    pixel_method,
    small_trial,
    tiny_task,
)
from trainables.methods.distortion import DistortionDistillation, both_ways, mean_discrepancy
from trainables.model import fresh
from trainables.settings import Invalid, Use
from trainables.targets.online import Online
from trainables.targets.self_distilled import SelfDistilled
from trainables.targets.smooth import Smooth
from trainables.trial import Trial

P, Q = tensor([[0.5, 0.5]]).log(), tensor([[0.8, 0.2]]).log()
FORTH = 0.5 * log(0.5 / 0.8) + 0.5 * log(0.5 / 0.2)  # KL(p || q)
BACK = 0.8 * log(0.8 / 0.5) + 0.2 * log(0.2 / 0.5)
DARK = 0 * X


def distortion(settings: dict[str, Any] | None = None, **changes: Any) -> DistortionDistillation:
    """Its weights say p = (4, 1, 1) / 6 of the lit image and 1/3 each of a dark one."""
    built: DistortionDistillation = pixel_method(
        DistortionDistillation, [0, 1, 2], settings, **changes
    )
    with torch.no_grad():
        built.model.head.classifier.weight[0, 0] = log(4)
    return built


def says_b_of_the_lit_image(teacher: Trial) -> dict[str, Tensor]:
    """The state of a teacher's model."""
    weight = torch.zeros(3, 4)
    weight[1, 0] = log(4)
    return {"head.classifier.weight": weight, "head.classifier.bias": torch.zeros(3)}


def loss(x: Tensor, other: Tensor, settings: dict[str, Any] | None = None, **changes: Any) -> float:
    built = distortion(settings, **changes)
    return float(built.update(replace(batch([0], x), other=other), lr=0.0)["loss"])


def test_the_divergence_is_taken_both_ways() -> None:
    assert_close(both_ways(P, Q, 1.0, detach=False), tensor([FORTH + BACK]))
    assert_close(both_ways(Q, P, 1.0, detach=True), tensor([FORTH + BACK]))


def test_a_temperature_softens_and_its_square_multiplies() -> None:
    assert_close(both_ways(3 * P, 3 * Q, 3.0, detach=False), tensor([9 * (FORTH + BACK)]))


@pytest.mark.parametrize("detach", [False, True])
def test_what_is_diverged_from_has_a_gradient_unless_it_is_detached(detach: bool) -> None:
    one, other = P.clone().requires_grad_(), Q.clone()
    both_ways(one, other, 1.0, detach).backward()  # type: ignore[no-untyped-call]
    p, q = P.exp(), Q.exp()
    expected = p - q  # of KL(q || p) by the scores of p
    if not detach:
        expected = expected + p * ((P - Q) - FORTH)  # of KL(p || q)
    assert_close(one.grad, expected)


def test_features_are_compared_by_their_means() -> None:
    one, other = tensor([[1.0, 0.0], [3.0, 2.0]]), tensor([[0.0, 0.0], [0.0, 2.0]])
    assert_close(mean_discrepancy(one, other), tensor(4.0))


def test_the_loss_is_that_of_both_views_and_what_lies_between_them() -> None:
    labels = -log(4 / 6) + log(3)
    assert_close(loss(X, DARK, {"weight": 0}), labels)
    p, q = tensor([[4.0, 1, 1]]).log(), torch.zeros(1, 3)
    apart = float(both_ways(p, q, 2.0, detach=False))
    assert_close(loss(X, DARK, {"weight": 0.5, "temperature": 2}), labels + 0.5 * apart)
    assert_close(loss(X, DARK, {"weight": 0, "mmd": 0.25}), labels + 0.25)


def test_the_loss_is_the_mean_over_the_batch() -> None:
    built = distortion({"weight": 0.5})
    two = replace(batch([0, 0], torch.cat([X, X])), other=torch.cat([DARK, DARK]))
    once = loss(X, DARK, {"weight": 0.5})
    assert_close(built.update(two, lr=0.0)["loss"], tensor(once))


def test_views_that_are_alike_are_trained_by_the_objective_alone_twice() -> None:
    built = distortion({"mmd": 1})
    before = built.model.head.classifier.weight.detach().clone()
    built.update(replace(batch([0], X), other=X), lr=0.3)
    step = built.model.head.classifier.weight.detach() - before
    assert_close(step[:, 0], 2 * 0.3 * tensor([2 / 6, -1 / 6, -1 / 6]))


def test_the_target_of_each_view_is_that_of_the_models_targets() -> None:
    changes = {"targets": Use(Smooth, epsilon=0.3)}
    labels = -(0.8 * log(4 / 6) + 0.2 * log(1 / 6)) + log(3)
    assert_close(loss(X, DARK, {"weight": 0}, **changes), labels)


def test_a_teacher_is_asked_about_the_view_that_its_target_is_for() -> None:
    changes = {"targets": Use(SelfDistilled), "method": Use(DistortionDistillation, weight=0)}
    trial = small_trial(net=Use(Pixels), **changes)
    names = ("a", "b", "c")
    task = tiny_task(trial, names, tensor([0, 1, 2]), trained=says_b_of_the_lit_image)
    built = DistortionDistillation(fresh(task), task, weight=0)
    with torch.no_grad():
        for weight in built.model.parameters():
            weight.zero_()
        built.model.head.classifier.weight[0, 0] = log(4)
    # Targets (1, 4, 1) / 6 of the lit view and 1 / 3 each of the dark one.
    labels = -(log(4 / 6) + 5 * log(1 / 6)) / 6 + log(3)
    for x, other in ((X, DARK), (DARK, X)):
        metrics = built.update(replace(batch([0], x), other=other), lr=0.0)
        assert_close(metrics["loss"], tensor(labels))


def test_the_targets_observe_the_first_view() -> None:
    built = distortion(targets=Use(Online))
    metrics = built.update(replace(batch([0], X), other=DARK), lr=0.1)
    assert_close(built.model.targets.sums[0], tensor([4 / 6, 1 / 6, 1 / 6]))
    assert metrics["accuracy"] == 1


def test_a_temperature_is_above_zero() -> None:
    with pytest.raises(Invalid, match=r"temperature = 0.0: must lie in \(0, inf\)"):
        small_trial(method=Use(DistortionDistillation, temperature=0))
