"""MentorNet's predefined curriculum by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import NAMES, batch, out, small_trial, tiny_task
from trainables.data.data import Batch
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.mentor_net import MentorNet, predefined
from trainables.settings import Invalid, Use

LATE = 5  # an epoch after any burn-in here


def loss(**settings: Any) -> MentorNet:
    """Of two classes, in a training of 10 epochs."""
    trial = small_trial()
    trial = trial.but(recipe=trial.recipe.but(epochs=10))
    built: MentorNet = Use(MentorNet, **settings).build(tiny_task(trial, NAMES[:2], tensor([0, 1])))
    return built


def scores(losses: list[float]) -> Tensor:
    """Such that cross-entropy to class 0 is `losses`."""
    p = (-tensor(losses)).exp()
    return torch.stack([p, 1 - p], dim=1).log()


def labelled(images: int, epoch: int) -> Batch:
    return replace(batch([0] * images), epoch=epoch)


def found(built: MentorNet, losses: list[float], epoch: int = LATE) -> Tensor:
    images = len(losses)
    label = torch.eye(2)[[0] * images]
    value: Tensor = built(out(scores(losses)), label, labelled(images, epoch))
    return value


def observed(built: MentorNet, losses: list[float], epoch: int = LATE) -> float:
    built.observe(labelled(len(losses), epoch), out(scores(losses)))
    return float(built.threshold)


def test_weights_fall_in_a_line_above_lambda1() -> None:
    above = tensor([-1.0, 0.0, 0.125, 0.25, 0.5, 3.0])
    assert_close(predefined(above, 0.5), tensor([1.0, 1.0, 0.75, 0.5, 0.0, 0.0]))


def test_without_lambda2_weights_are_one_or_zero() -> None:
    assert predefined(tensor([-1.0, 0.0, 0.125, 3.0]), 0.0).tolist() == [1, 1, 0, 0]


def test_lambda1_is_the_percentile_of_the_batch_at_first() -> None:
    built = loss(percentile=0.75, lambda2=2)
    expected = tensor([1.0, 2.0, 3.0, 4.0, 5.0 * 0.5])
    assert_close(found(built, [1.0, 2.0, 3.0, 4.0, 5.0]), expected)


def test_lambda1_is_a_moving_average_and_that_of_the_steps_before() -> None:
    built = loss(percentile=0.75, lambda2=2)
    assert observed(built, [1, 2, 3, 4, 5]) == pytest.approx(4)
    assert observed(built, [8, 9, 10, 9, 8]) == pytest.approx(0.9 * 4 + 0.1 * 9)
    assert_close(found(built, [4.5, 5.5, 6.0, 8.0]), tensor([4.5, 0.5 * 5.5, 0.25 * 6.0, 0.0]))


def test_in_the_burn_in_all_images_are_in_and_lambda1_is_learned() -> None:
    built = loss(burn_in=0.2)
    assert observed(built, [1, 1, 1, 1], epoch=0) == pytest.approx(1)
    for epoch, last in ((0, 9.0), (1, 9.0), (2, 0.0), (9, 0.0)):
        assert_close(found(built, [1.0, 9.0], epoch), tensor([1.0, last]))


def test_weights_are_constants_to_the_gradient() -> None:
    built = loss(lambda2=2)
    observed(built, [2, 2, 2, 2])
    said = scores([1.0, 3.0, 5.0]).requires_grad_()
    built(out(said), torch.eye(2)[[0] * 3], labelled(3, LATE)).sum().backward()
    assert said.grad is not None
    # Of cross-entropy p - t, times 1, 1/2 and 0.
    p = (-tensor([1.0, 3.0])).exp()
    expected = torch.stack([p - 1, 1 - p], dim=1) * tensor([[1.0], [0.5]])
    assert_close(said.grad[:2], expected)
    assert said.grad[2].tolist() == [0, 0]


def test_the_loss_itself_changes_no_state() -> None:
    built = loss()
    found(built, [1, 2, 3, 4])
    assert built.threshold.isnan()
    before = observed(built, [1, 2, 3, 4])
    found(built, [5, 6, 7, 8])
    assert float(built.threshold) == before


def test_a_loss_that_is_infinite_to_a_label_is_refused() -> None:
    with pytest.raises(Invalid, match=r"^MentorNet.loss = KnowledgeLoss\(\): must be one that"):
        Use(MentorNet, loss=Use(KnowledgeLoss))


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [("percentile", 1.1, r"\[0, 1\]"), ("lambda2", -1, r"\[0, inf\)"), ("burn_in", 1, r"\[0, 1\)")],
)
def test_settings_out_of_range_are_refused(name: str, value: float, valid: str) -> None:
    with pytest.raises(Invalid, match=rf"MentorNet.{name} = .*: must lie in {valid}"):
        Use(MentorNet, **{name: value})
