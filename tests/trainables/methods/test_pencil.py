import re
from math import exp, log
from typing import Any

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from trainables.methods.pencil import PENCIL, classification, compatibility, entropy
from trainables.settings import Invalid, Use

F = tensor([[0.5, 0.5]]).log()
LABELS = tensor([[0.8, 0.2]]).log()


def pencil(epoch: int = 0, epochs: int = 8, **settings: Any) -> PENCIL:
    """Of three images, one a class; stages end after epochs 1 and 2."""
    settings = {"stage1": 1, "stage2": 2, **settings}
    built: PENCIL = pixel_method(PENCIL, [0, 1, 2], settings, **{"recipe.epochs": epochs})
    built.start_epoch(epoch, lambda: iter([]))
    return built


def test_the_classification_loss_is_the_divergence_from_the_label_by_classes() -> None:
    divergence = 0.5 * log(0.5 / 0.8) + 0.5 * log(0.5 / 0.2)
    assert_close(classification(F, LABELS), tensor(divergence / 2))
    two = classification(torch.cat([F, LABELS]), torch.cat([LABELS, LABELS]))
    assert_close(two, tensor(divergence / 4))


def test_the_compatibility_loss_is_that_of_the_label_distribution_to_the_given_label() -> None:
    assert_close(compatibility(LABELS, tensor([1])), tensor(-log(0.2)))
    expected = log(exp(0.8) + exp(0.2)) - 0.2  # as if 0.8 and 0.2 were scores
    assert_close(compatibility(LABELS, tensor([1]), twice=True), tensor(expected))


def test_as_printed_the_best_label_distribution_keeps_the_given_label() -> None:
    f, given, alpha = tensor([[0.1, 0.2, 0.7]]), torch.eye(3)[:1], 0.4
    labels = (f / 3 + alpha * given).log().requires_grad_()
    loss = classification(f.log(), labels) + alpha * compatibility(labels, tensor([0]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert_close(labels.grad, torch.zeros(1, 3))
    assert labels.argmax() == 0


def test_with_the_second_softmax_it_follows_a_net_that_is_sure() -> None:
    f = tensor([[0.01, 0.01, 0.98]])
    labels = tensor([[2.0, 0, 0]])
    for _ in range(300):
        labels = labels.detach().requires_grad_()
        loss = classification(f.log(), labels) + 0.4 * compatibility(
            labels, tensor([0]), twice=True
        )
        (gradient,) = torch.autograd.grad(loss, labels)
        labels = labels - 2 * gradient
    assert labels.argmax() == 2


def test_the_entropy_is_divided_by_the_classes() -> None:
    assert_close(entropy(F), tensor(log(2) / 2))


def test_the_first_stage_is_cross_entropy_and_leaves_labels() -> None:
    built = pencil(epoch=0)
    metrics = built.update(batch([0], X), lr=0.3)
    assert_close(metrics["loss"], tensor(log(3)))
    assert_close(built.labels, 10 * torch.eye(3))
    weights = built.model.head.classifier.weight.detach()
    assert_close(weights[:, 0], 0.3 * tensor([2 / 3, -1 / 3, -1 / 3]))


def test_in_the_second_stage_the_loss_has_three_terms() -> None:
    # y^d is (4, 1, 1) / 6 and f uniform: KL = (log(1/2) + 2 log 2) / 3.
    built = pencil(epoch=1, initial=log(4), alpha=0.4, beta=0.1, twice=False)
    loss = built.update(batch([0], X), lr=0.3)["loss"]
    assert_close(loss, tensor(log(2) / 9 + 0.4 * log(3 / 2) + 0.1 * log(3) / 3))


def test_in_the_second_stage_the_labels_of_the_batch_go_down_their_gradient() -> None:
    built = pencil(epoch=1, initial=log(4), alpha=0.4, labels_lr=2, twice=False)
    before = built.labels.clone()
    built.update(batch([0], X), lr=0.3)
    label, f, given = tensor([4.0, 1, 1]) / 6, tensor([1.0, 1, 1]) / 3, tensor([1.0, 0, 0])
    gradient = (label - f) / 3 + 0.4 * (label - given)
    assert_close(built.labels[0], before[0] - 2 * gradient)
    assert_close(built.labels[1:], before[1:])


def test_the_labels_gradient_is_that_of_the_batchs_mean() -> None:
    # As in the public code: in a batch of two, each label goes half as far as in one of its own.
    built = pencil(epoch=1, initial=log(4), alpha=0.4, labels_lr=2, twice=False)
    before = built.labels.clone()
    built.update(batch([0, 1], torch.cat([X, X])), lr=0.3)
    # Of the first image ((4, 1, 1) / 6 - 1 / 3) / 3 + 0.4 * ((4, 1, 1) / 6 - (1, 0, 0)), halved.
    first = tensor([1 / 9 - 0.4 / 3, -1 / 18 + 0.4 / 6, -1 / 18 + 0.4 / 6]) / 2
    assert_close(built.labels[0], before[0] - 2 * first)
    assert_close(built.labels[1], before[1] - 2 * first[[1, 0, 2]])
    assert_close(built.labels[2], before[2])


def test_in_the_second_stage_the_compatibility_is_of_two_softmaxes_unless_told_otherwise() -> None:
    built = pencil(epoch=1, initial=log(4), alpha=0.4, beta=0)
    loss = built.update(batch([0], X), lr=0.3)["loss"]
    twice = log(exp(4 / 6) + 2 * exp(1 / 6)) - 4 / 6
    assert_close(loss, tensor(log(2) / 9 + 0.4 * twice))


def test_in_the_second_stage_the_net_goes_towards_the_labels_and_not_to_the_given_one() -> None:
    built = pencil(epoch=1, beta=0)
    built.labels[0] = tensor([0.0, 0.0, 5.0])
    built.update(batch([0], X), lr=0.3)
    weights = built.model.head.classifier.weight.detach()[:, 0]
    assert weights[2] > 0
    assert_close(weights[0], weights[1])


def test_in_the_third_stage_labels_stay_and_the_loss_is_the_divergence_alone() -> None:
    built = pencil(epoch=2, initial=log(4))
    before = built.labels.clone()
    assert_close(built.update(batch([0], X), lr=0.3)["loss"], tensor(log(2) / 9))
    assert torch.equal(built.labels, before)


@pytest.mark.parametrize(
    ("last_thirds", "expected"),
    [("tenths", [1, 1, 5, 5, 0.5, 0.5, 0.05, 0.05]), ("zero", [1, 1, 5, 5, 0, 0, 0, 0])],
)
def test_the_rate_rises_after_the_second_stage_and_falls_by_thirds_of_the_last(
    last_thirds: str, expected: list[float]
) -> None:
    rates = [pencil(epoch, rise=5, last_thirds=last_thirds).lr(0.2) for epoch in range(8)]
    assert rates == pytest.approx([0.2 * factor for factor in expected])


@pytest.mark.parametrize(
    ("epochs", "drops"),
    [(320, [240, 280]), (300, [234, 267])],  # counted from 0; 300: OLS's, thirds of 33 1/3
)
def test_the_third_stage_is_in_thirds_which_are_40_epochs_in_the_public_code_alone(
    epochs: int, drops: list[int]
) -> None:
    built = pencil(epochs=epochs, stage1=70, stage2=200, rise=0.2 / 0.06)
    rates = []
    for built.epoch in range(epochs):
        rates.append(built.lr(0.06))
    changes = [epoch for epoch in range(1, epochs) if rates[epoch] != rates[epoch - 1]]
    assert changes == [200, *drops]
    assert [rates[epoch] for epoch in (0, *changes)] == pytest.approx([0.06, 0.2, 0.02, 0.002])


def test_defaults_are_those_of_the_public_code() -> None:
    settings = dict(Use(PENCIL).items)
    assert (settings["stage1"], settings["stage2"]) == (70, 200)
    assert (settings["alpha"], settings["beta"], settings["labels_lr"]) == (0.4, 0.1, 600)
    assert settings["initial"] == 10
    assert settings["twice"]
    assert 0.06 * settings["rise"] == pytest.approx(0.2)
    demo = Use(PENCIL).demo()
    assert (demo["stage1"], demo["stage2"]) == (8.75, 25)


def test_stages_are_in_order_and_within_the_training() -> None:
    with pytest.raises(Invalid, match=r"PENCIL.stage1 = 90.0: must be at most stage2 = 80.0"):
        Use(PENCIL, stage1=90, stage2=80)
    with pytest.raises(Invalid, match=r"PENCIL.stage2 = 9: must be below 9, the epochs"):
        small_trial(**{"recipe.epochs": 9}, method=Use(PENCIL, stage1=1, stage2=9))


def test_another_schedule_is_refused() -> None:
    line = "recipe.schedule = cosine: must be constant: PENCIL changes the rate by its stages"
    with pytest.raises(Invalid, match=re.escape(line)):
        small_trial(**{"recipe.schedule": "cosine"}, method=Use(PENCIL, stage1=1, stage2=2))
