"""The noise adaptation layer by hand."""

from math import log

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import Pixels, X, batch, out, pixel_method, small_task
from trainables.losses.noise_adaptation import NoiseAdaptation
from trainables.methods.method import Method
from trainables.settings import Invalid, Use

P = tensor([[0.5, 0.3, 0.2]])
THETA = tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
# sum_i theta_ij p_i of each noisy class j.
NOISY = [0.35 + 0.03 + 0.06, 0.1 + 0.24 + 0.06, 0.05 + 0.03 + 0.08]


def loss(b: Tensor) -> NoiseAdaptation:
    built = NoiseAdaptation(small_task())
    with torch.no_grad():
        built.b.copy_(b)
    return built


@pytest.mark.parametrize("y", [0, 1, 2])
def test_a_label_is_as_likely_as_all_ways_that_lead_to_it(y: int) -> None:
    found = loss(THETA.log())(out(P.log()), torch.eye(3)[[y]], batch([y]))
    assert_close(found, tensor([-log(NOISY[y])]))


def test_a_soft_target_weighs_the_noisy_classes() -> None:
    found = loss(THETA.log())(out(P.log()), tensor([[0.25, 0.75, 0.0]]), batch([1]))
    assert_close(found, tensor([-0.25 * log(NOISY[0]) - 0.75 * log(NOISY[1])]))


def test_only_differences_inside_a_row_of_b_matter() -> None:
    shifted = loss(THETA.log() + tensor([[5.0], [-3.0], [0.0]]))
    found = shifted(out(P.log()), torch.eye(3)[[0]], batch([0]))
    assert_close(found, tensor([-log(NOISY[0])]))


def test_it_starts_with_eps_spread_over_the_other_classes() -> None:
    built = NoiseAdaptation(small_task(), eps=0.2)
    expected = tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    assert_close(built.b.detach().softmax(1), expected)
    assert_close(built.b.detach().exp(), expected)


def test_gradients_reach_b_and_the_scores() -> None:
    built, scores = loss(THETA.log()), P.log().requires_grad_()
    built(out(scores), torch.eye(3)[[0]], batch([0])).sum().backward()
    # Of -log p_0 by b_ij: -p_i * theta_i0 * (1[j = 0] - theta_ij) / p_0.
    assert built.b.grad is not None
    assert_close(built.b.grad[0], -0.5 * 0.7 / 0.44 * tensor([0.3, -0.2, -0.1]))
    # By the scores: p_i minus how likely i is, given the noisy label.
    assert_close(scores.grad, P - tensor([[0.35, 0.03, 0.06]]) / 0.44)


def test_it_is_finite_where_probabilities_round_to_zero() -> None:
    built, scores = loss(300 * torch.eye(3)), tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    found = built(out(scores), torch.eye(3)[[1]], batch([1]))
    assert_close(found, tensor([200.0]))
    found.sum().backward()
    assert scores.grad is not None
    assert_close(scores.grad, tensor([[1.0, -1.0, 0.0]]))


def test_b_is_trained_with_the_net_and_prediction_is_by_the_scores_alone() -> None:
    use = Use(NoiseAdaptation, eps=0.1)
    method = pixel_method(Method, [0, 1, 2], net=Use(Pixels), loss=use)
    with torch.no_grad():
        method.model.loss.b.copy_(NoiseAdaptation(small_task(), eps=0.1).b)
    method.update(batch([0], X), lr=1.0)
    # All classes are equally likely: -theta_00 * (1 - theta_00) down the gradient.
    assert method.model.loss.b[0, 0].item() == pytest.approx(log(0.9) + 0.9 * 0.1)
    before = method.predict(X)
    with torch.no_grad():
        method.model.loss.b.zero_()
    assert torch.equal(method.predict(X), before)


@pytest.mark.parametrize("eps", [0, 1])
def test_every_noisy_class_has_some_probability(eps: float) -> None:
    with pytest.raises(Invalid, match=r"NoiseAdaptation.eps = .*: must lie in \(0, 1\)"):
        Use(NoiseAdaptation, eps=eps)
