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
    assert_close(loss(0, 1, "reverse")(out(P.log()), G, batch([0])), tensor([expected]))


def test_forward_is_the_divergence_of_the_soft_label_from_the_network() -> None:
    expected = 0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25)
    assert_close(loss(0, 1, "forward")(out(P.log()), G, batch([0])), tensor([expected]))


def test_both_directions_agree_with_torch() -> None:
    scores, g = drawn(0), drawn(1).softmax(1)
    p, soft, y = Categorical(logits=scores), Categorical(probs=g), batch([0] * 6)
    assert_close(loss(0, 1, "reverse")(out(scores), g, y), kl_divergence(p, soft))
    assert_close(loss(0, 1, "forward")(out(scores), g, y), kl_divergence(soft, p))


def test_alpha_weighs_the_label_and_beta_the_soft_label() -> None:
    # CE = -ln 0.25 for label 1; KL(P || G) as above.
    kl = 0.75 * log(0.75 / 0.5) + 0.25 * log(0.25 / 0.5)
    expected = 0.1 * log(4) + 3 * kl
    assert_close(loss(0.1, 3)(out(P.log()), G, batch([1])), tensor([expected]))


@pytest.mark.parametrize("kl", DIRECTIONS)
def test_without_beta_it_is_cross_entropy_to_the_label(kl: Direction) -> None:
    scores, labels = drawn(0), batch([0, 1, 2, 2, 1, 0])
    one_hot = OneHot(small_task())(labels, out(scores))
    expected = CrossEntropy(small_task())(out(scores), one_hot, labels)
    assert_close(loss(1, 0, kl)(out(scores), drawn(1).softmax(1), labels), expected)


@pytest.mark.parametrize("kl", DIRECTIONS)
def test_the_divergence_is_zero_where_the_network_says_the_soft_label(kl: Direction) -> None:
    g = drawn(1).softmax(1)
    assert_close(loss(0, 1, kl)(out(g.log() + 5), g, batch([0] * 6)), torch.zeros(6))


@pytest.mark.parametrize("kl", DIRECTIONS)
def test_the_divergence_is_above_zero_elsewhere(kl: Direction) -> None:
    assert (loss(0, 1, kl)(out(drawn(0)), drawn(1).softmax(1), batch([0] * 6)) > 0).all()


def test_towards_a_one_hot_target_forward_is_cross_entropy_with_finite_gradients() -> None:
    scores, labels = drawn(0).requires_grad_(), batch([0, 1, 2, 2, 1, 0])
    one_hot = OneHot(small_task())(labels, out(scores))
    value = loss(0, 1, "forward")(out(scores), one_hot, labels)
    assert_close(value, CrossEntropy(small_task())(out(scores), one_hot, labels))
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert_close(scores.grad, scores.detach().softmax(1) - one_hot)


def test_what_has_no_mass_adds_nothing_to_a_divergence() -> None:
    p, q = tensor([[1.0, 0.0]]), tensor([[0.5, 0.5]])
    assert_close(divergence(p.log(), q.log()), tensor([log(2)]))


def test_a_loss_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match=r"KnowledgeLoss.alpha = 0.0: must be above 0"):
        Use(KnowledgeLoss, alpha=0, beta=0)


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_weights_are_not_negative(name: str) -> None:
    with pytest.raises(Invalid, match=rf"KnowledgeLoss.{name} = -1.0: must lie in \[0, inf\)"):
        Use(KnowledgeLoss, **{name: -1})
