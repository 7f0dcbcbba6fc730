"""Softmax focal loss by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.losses.focal import Focal
from trainables.settings import Invalid, Use

P = torch.tensor([[0.5, 0.3, 0.2]])


def loss(gamma: float) -> Focal:
    return Focal(small_task(), gamma=gamma)


def test_of_a_label_it_is_the_cross_entropy_times_what_is_wrong_to_gamma() -> None:
    label = torch.tensor([[0.0, 1.0, 0.0]])
    expected = torch.tensor([0.7**2 * -math.log(0.3)])
    assert_close(loss(2)(out(P.log()), label, batch([1])), expected)


def test_a_soft_target_weighs_the_classes() -> None:
    target = torch.tensor([[0.5, 0.5, 0.0]])
    expected = torch.tensor([-0.5 * 0.5 * math.log(0.5) - 0.5 * 0.7 * math.log(0.3)])
    assert_close(loss(1)(out(P.log()), target, batch([1])), expected)


def test_with_gamma_0_it_is_cross_entropy() -> None:
    z, label = torch.randn(4, 3), torch.eye(3)[[0, 1, 2, 1]]
    expected = torch.nn.functional.cross_entropy(z, label, reduction="none")
    assert_close(loss(0)(out(z), label, batch([0, 1, 2, 1])), expected)


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_sure_nets_have_finite_losses_and_gradients(gamma: float) -> None:
    z = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]], requires_grad=True)
    value = loss(gamma)(out(z), torch.eye(3)[[0, 0]], batch([0, 0]))
    value.sum().backward()
    assert value.tolist() == pytest.approx([0, 200], abs=1e-5)
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_a_gamma_below_0_is_refused() -> None:
    with pytest.raises(Invalid, match=r"Focal.gamma = -1.0: must lie in \[0, inf\)"):
        Use(Focal, gamma=-1)
