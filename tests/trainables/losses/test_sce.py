from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.sce import SymmetricCrossEntropy, reverse_cross_entropy
from trainables.settings import Invalid, Use
from trainables.targets.bootstrap import Bootsoft

P = tensor([[0.5, 0.3, 0.2]])
LABEL = tensor([[0.0, 1.0, 0.0]])


def test_to_a_label_the_way_back_is_what_the_other_classes_have_times_log_zero() -> None:
    assert_close(reverse_cross_entropy(P.log(), LABEL.log(), -4.0), tensor([4 * (0.5 + 0.2)]))


def test_to_a_distribution_the_way_back_swaps_the_two() -> None:
    q = tensor([[0.25, 0.5, 0.25]])
    expected = -(0.5 * log(0.25) + 0.3 * log(0.5) + 0.2 * log(0.25))
    assert_close(reverse_cross_entropy(P.log(), q.log(), -4.0), tensor([expected]))


def test_alpha_weighs_the_way_forth_and_beta_the_way_back() -> None:
    loss = SymmetricCrossEntropy(small_task(), alpha=2, beta=3, log_zero=-5.0)
    expected = 2 * -log(0.3) + 3 * 5 * 0.7
    assert_close(loss(out(P.log()), LABEL.log(), batch([1])), tensor([expected]))


def test_a_log_of_zero_that_no_float_has_a_power_for_is_finite() -> None:
    back = reverse_cross_entropy(P.log(), LABEL.log(), -1000.0)
    assert_close(back, tensor([1000 * (0.5 + 0.2)]))


def test_without_beta_it_is_cross_entropy_however_unlikely_the_label() -> None:
    loss = SymmetricCrossEntropy(small_task(), alpha=1, beta=0)
    said = out([[100.0, 0.0, 0.0]])
    assert_close(loss(said, LABEL.log(), batch([1])), tensor([100.0]))


def test_the_defaults_are_those_of_the_paper_for_cifar_100() -> None:
    use = Use(SymmetricCrossEntropy)
    assert (use["alpha"], use["beta"], use["log_zero"]) == (6, 0.1, -4)


@given(st.integers(0, 1000), st.floats(-20, -0.1))
@settings(deadline=None, max_examples=50)
def test_the_way_back_lies_between_zero_and_minus_log_zero(seed: int, log_zero: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores, q = (5 * torch.randn(6, 4, generator=generator) for _ in range(2))
    value = reverse_cross_entropy(scores, q.log_softmax(1), log_zero)
    assert (value >= 0).all()
    assert (value <= -log_zero * (1 + 1e-5)).all()


def test_gradients_are_finite_where_a_target_of_the_nets_own_has_zeros() -> None:
    scores, labels = tensor([[200.0, 0.0, 0.0]], requires_grad=True), batch([1])
    targets = Bootsoft(small_task())
    assert targets(labels, out(scores))[0, 2] == 0
    target = targets.log(labels, out(scores))
    loss = SymmetricCrossEntropy(small_task())(out(scores), target, labels)
    loss.sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_a_soft_target_goes_both_ways() -> None:
    q, labels = tensor([[0.25, 0.5, 0.25]]), batch([1])
    loss = SymmetricCrossEntropy(small_task(), alpha=1, beta=1)(out(P.log()), q.log(), labels)
    forth = CrossEntropy(small_task())(out(P.log()), q, labels)
    assert_close(loss, forth + reverse_cross_entropy(P.log(), q.log(), -4.0))


def test_a_loss_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match=r"SymmetricCrossEntropy.alpha = 0.0: must be above 0"):
        Use(SymmetricCrossEntropy, alpha=0, beta=0)


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [("alpha", -1, r"\[0, inf\)"), ("beta", -1, r"\[0, inf\)"), ("log_zero", 0, r"\(-inf, 0\)")],
)
def test_weights_are_not_negative_and_the_log_of_zero_is(
    name: str, value: float, valid: str
) -> None:
    with pytest.raises(Invalid, match=rf"SymmetricCrossEntropy.{name} = .*: must lie in {valid}"):
        Use(SymmetricCrossEntropy, **{name: value})
