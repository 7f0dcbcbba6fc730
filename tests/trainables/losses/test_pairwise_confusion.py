from math import log, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor
from torch.nn.functional import one_hot
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.pairwise_confusion import PairwiseConfusion, confusion
from trainables.settings import Invalid, Use

P = tensor([[0.9, 0.1], [0.7, 0.3], [0.6, 0.4], [0.2, 0.8]])  # pairs: 0 and 2, 1 and 3
NEAR, FAR = 0.3 * sqrt(2), 0.5 * sqrt(2)


def test_an_image_has_half_the_euclidean_distance_of_its_pair() -> None:
    assert_close(confusion(P, tensor([0, 0, 1, 1]), "all"), tensor([NEAR, FAR, NEAR, FAR]) / 2)


def test_pairs_of_one_class_are_left_out_unless_all_are_asked_for() -> None:
    y = tensor([0, 0, 0, 1])
    assert_close(confusion(P, y, "different"), tensor([0, FAR, 0, FAR]) / 2)
    assert_close(confusion(P, y, "all"), tensor([NEAR, FAR, NEAR, FAR]) / 2)


def test_of_an_odd_number_the_last_image_has_no_pair() -> None:
    expected = tensor([0.2, 0.2, 0.0]) * sqrt(2) / 2
    assert_close(confusion(P[:3], tensor([0, 1, 1]), "all"), expected)


def test_an_image_alone_has_only_its_cross_entropy() -> None:
    loss = PairwiseConfusion(small_task(2))(out(P[:1].log()), tensor([[0.0, 1.0]]), batch([1]))
    assert_close(loss, tensor([log(10)]))


def test_the_mean_is_the_authors_loss() -> None:
    # CE of labels 0, 0, 1, 1 + lambda * sum over pairs / images, with lambda = 0.5 * 2 classes.
    labels = batch([0, 0, 1, 1])
    cross_entropy = -(log(0.9) + log(0.7) + log(0.4) + log(0.8)) / 4
    expected = cross_entropy + 1.0 * (NEAR + FAR) / 4
    loss = PairwiseConfusion(small_task(2), per_class=0.5)
    value = loss(out(P.log()), one_hot(labels.y, 2).float(), labels).mean()
    assert_close(value, tensor(expected))


def test_without_weight_it_is_cross_entropy_to_any_target() -> None:
    scores, target = torch.randn(5, 3), torch.randn(5, 3).softmax(1)
    labels = batch([0, 1, 2, 0, 1])
    value = PairwiseConfusion(small_task(), per_class=0)(out(scores), target, labels)
    assert_close(value, CrossEntropy(small_task())(out(scores), target, labels))


@given(st.integers(1, 12), st.integers(0, 1000))
@settings(deadline=None, max_examples=50)
def test_confusion_lies_between_zero_and_that_of_two_certain_classes(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    p = (9 * torch.randn(n, 3, generator=generator)).softmax(1)
    value = confusion(p, torch.randint(3, (n,), generator=generator), "different")
    assert value.shape == (n,)
    assert (value >= 0).all()
    assert (value <= sqrt(2) / 2 + 1e-6).all()


def test_the_gradient_is_finite_where_both_of_a_pair_say_the_same() -> None:
    scores, labels = torch.zeros(4, 3, requires_grad=True), batch([0, 1, 2, 2])
    target = one_hot(labels.y, 3).float()
    PairwiseConfusion(small_task())(out(scores), target, labels).sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_the_weight_is_not_negative() -> None:
    with pytest.raises(Invalid, match=r"PairwiseConfusion.per_class = -1.0: must lie in \[0, inf"):
        Use(PairwiseConfusion, per_class=-1)
