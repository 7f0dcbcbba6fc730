from math import log
from typing import Literal, get_args

import pytest
import torch
from torch import Tensor, tensor
from torch.distributions import Categorical, kl_divergence
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.knowledge import KnowledgeLoss, divergence
from trainables.settings import Invalid, Use
from trainables.targets.one_hot import OneHot

Direction = Literal["reverse", "forward"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

P = tensor([[0.75, 0.25]])
G = tensor([[0.5, 0.5]])


def loss(alpha: float, beta: float, kl: Direction = "reverse") -> KnowledgeLoss:
    return KnowledgeLoss(small_task(), alpha=alpha, beta=beta, kl=kl)


def drawn(seed: int) -> Tensor:
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))


def test_reverse_is_the_divergence_of_the_network_from_the_soft_label() -> None:
    expected = 0.75 * log(0.75 / 0.5) + 0.25 * log(0.25 / 0.5)
    assert_close(loss(0, 1, "reverse")(out(P.log()), G.log(), batch([0])), tensor([expected]))


def test_forward_is_the_divergence_of_the_soft_label_from_the_network() -> None:
    expected = 0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25)
    assert_close(loss(0, 1, "forward")(out(P.log()), G.log(), batch([0])), tensor([expected]))


def test_both_directions_agree_with_torch() -> None:
    scores, g = drawn(0), drawn(1).softmax(1)
    p, soft, y = Categorical(logits=scores), Categorical(probs=g), batch([0] * 6)
    assert_close(loss(0, 1, "reverse")(out(scores), g.log(), y), kl_divergence(p, soft))
    assert_close(loss(0, 1, "forward")(out(scores), g.log(), y), kl_divergence(soft, p))


def test_alpha_weighs_the_label_and_beta_the_soft_label() -> None:
    # CE = -ln 0.25 for label 1; KL(P || G) as above.
    kl = 0.75 * log(0.75 / 0.5) + 0.25 * log(0.25 / 0.5)
    expected = 0.1 * log(4) + 3 * kl
    assert_close(loss(0.1, 3)(out(P.log()), G.log(), batch([1])), tensor([expected]))


@pytest.mark.parametrize("kl", DIRECTIONS)
def test_without_beta_it_is_cross_entropy_to_the_label(kl: Direction) -> None:
    scores, labels = drawn(0), batch([0, 1, 2, 2, 1, 0])
    one_hot = OneHot(small_task())(labels, out(scores))
    expected = CrossEntropy(small_task())(out(scores), one_hot, labels)
    assert_close(loss(1, 0, kl)(out(scores), drawn(1).log_softmax(1), labels), expected)


@pytest.mark.parametrize("kl", DIRECTIONS)
def test_the_divergence_is_zero_where_the_network_says_the_soft_label(kl: Direction) -> None:
    log_g = drawn(1).log_softmax(1)
    assert_close(loss(0, 1, kl)(out(log_g + 5), log_g, batch([0] * 6)), torch.zeros(6))


@pytest.mark.parametrize("kl", DIRECTIONS)
def test_the_divergence_is_above_zero_elsewhere(kl: Direction) -> None:
    assert (loss(0, 1, kl)(out(drawn(0)), drawn(1).log_softmax(1), batch([0] * 6)) > 0).all()


def test_towards_a_one_hot_target_forward_is_cross_entropy_with_finite_gradients() -> None:
    scores, labels = drawn(0).requires_grad_(), batch([0, 1, 2, 2, 1, 0])
    one_hot = OneHot(small_task())(labels, out(scores))
    value = loss(0, 1, "forward")(out(scores), one_hot.log(), labels)
    assert_close(value, CrossEntropy(small_task())(out(scores), one_hot, labels))
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert_close(scores.grad, scores.detach().softmax(1) - one_hot)


def test_what_has_no_mass_adds_nothing_to_a_divergence() -> None:
    p, q = tensor([[1.0, 0.0]]), tensor([[0.5, 0.5]])
    assert_close(divergence(p.log(), q.log()), tensor([log(2)]))


@pytest.mark.parametrize("temperature", [104.0, 200.0, 1e6])
def test_where_the_soft_label_rounds_to_zero_loss_and_gradient_are_finite(
    temperature: float,
) -> None:
    # g = (1, e^-T), p = (1/2, 1/2): KL(p || g) = T / 2 - log 2, by the scores (-T / 4, T / 4).
    scores, log_g = torch.zeros(1, 2, requires_grad=True), tensor([[0.0, -temperature]])
    value = loss(0, 1, "reverse")(out(scores), log_g, batch([0]))
    assert_close(value, tensor([temperature / 2 - log(2)]))
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert_close(scores.grad, tensor([[-temperature / 4, temperature / 4]]))
    forward = loss(0, 1, "forward")(out(torch.zeros(1, 2)), log_g, batch([0]))
    assert_close(forward, tensor([log(2)]))


def test_what_is_left_out_of_a_divergence_leaves_no_trace_in_the_gradient() -> None:
    scores = tensor([[0.0, 0.0]], requires_grad=True)
    log_p = scores.log_softmax(1) + tensor([[log(2), -torch.inf]])  # p = (1, 0)
    divergence(log_p, tensor([[0.5, 0.5]]).log()).sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_a_loss_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match=r"KnowledgeLoss.alpha = 0.0: must be above 0"):
        Use(KnowledgeLoss, alpha=0, beta=0)


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_weights_are_not_negative(name: str) -> None:
    with pytest.raises(Invalid, match=rf"KnowledgeLoss.{name} = -1.0: must lie in \[0, inf\)"):
        Use(KnowledgeLoss, **{name: -1})
