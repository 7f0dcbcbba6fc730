from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.knowledge import KnowledgeLoss
from trainables.settings import Invalid, Use
from trainables.targets.bootstrap import Boothard, Bootsoft
from trainables.targets.targets import Targets

P = tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])


def gradient(targets: Targets, scores: Tensor) -> Tensor:
    scores = scores.clone().requires_grad_()
    labels = batch([1])
    loss = CrossEntropy(small_task())(out(scores), targets(labels, out(scores)), labels)
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    return scores.grad


def test_soft_mixes_the_label_with_the_probabilities() -> None:
    targets = Bootsoft(small_task(), beta=0.9)
    expected = tensor([[0.05, 0.93, 0.02], [0.01, 0.08, 0.91]])
    assert_close(targets(batch([1, 2]), out(P.log())), expected)


def test_hard_mixes_the_label_with_the_most_probable_class() -> None:
    targets = Boothard(small_task(), beta=0.8)
    expected = tensor([[0.2, 0.8, 0.0], [0.0, 1.0, 0.0]])
    assert_close(targets(batch([1, 1]), out(P.log())), expected)


def test_the_defaults_are_those_of_the_paper() -> None:
    assert Use(Bootsoft)["beta"] == 0.95
    assert Use(Boothard)["beta"] == 0.8


def test_the_soft_loss_is_cross_entropy_plus_entropy() -> None:
    targets, labels, said = Bootsoft(small_task(), beta=0.9), batch([1]), out(P[:1].log())
    entropy = -(0.5 * log(0.5) + 0.3 * log(0.3) + 0.2 * log(0.2))
    loss = CrossEntropy(small_task())(said, targets(labels, said), labels)
    assert_close(loss, tensor([0.9 * -log(0.3) + 0.1 * entropy]))


def test_the_entropy_has_its_gradient() -> None:
    # Of CE: p - t. Of the entropy H: -p * (log p + H).
    p, t = P[:1], tensor([[0.0, 1.0, 0.0]])
    entropy = -(p * p.log()).sum()
    expected = 0.9 * (p - t) - 0.1 * p * (p.log() + entropy)
    assert_close(gradient(Bootsoft(small_task(), beta=0.9), p.log()), expected)


def test_detached_it_only_weakens_the_label() -> None:
    p, t = P[:1], tensor([[0.0, 1.0, 0.0]])
    weakened = gradient(Bootsoft(small_task(), beta=0.9, detach=True), p.log())
    assert_close(weakened, 0.9 * (p - t))


def test_where_a_probability_rounds_to_zero_its_logarithm_and_gradients_are_finite() -> None:
    # p = (1, e^-200, e^-200), label 1: KL(p || t) is that of what class 0 has, log (1 / 0.05).
    scores, labels = tensor([[200.0, 0.0, 0.0]], requires_grad=True), batch([1])
    targets, loss = Bootsoft(small_task()), KnowledgeLoss(small_task(), alpha=0)
    target = targets.log(labels, out(scores))
    assert_close(target, tensor([[log(0.05), log(0.95), log(0.05) - 200]]))
    value = loss(out(scores), target, labels)
    assert_close(value, tensor([log(20)]))
    value.sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


@given(st.floats(0, 1), st.integers(0, 1000), st.sampled_from([Bootsoft, Boothard]))
@settings(deadline=None, max_examples=50)
def test_every_row_is_a_distribution(beta: float, seed: int, part: type[Targets]) -> None:
    scores = 5 * torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))
    target = Use(part, beta=beta).build(small_task())(batch([0, 1, 2] * 2), out(scores))
    assert (target >= 0).all()
    assert_close(target.sum(1), torch.ones(6))


@pytest.mark.parametrize("part", [Bootsoft, Boothard])
def test_beta_is_a_share(part: type[Targets]) -> None:
    with pytest.raises(Invalid, match=r"beta = 1.5: must lie in \[0, 1\]"):
        Use(part, beta=1.5)
