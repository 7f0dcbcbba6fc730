from math import log

import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.losses.cross_entropy import CrossEntropy

LOSS = CrossEntropy(small_task())


def test_it_is_minus_the_log_probability_of_the_label() -> None:
    scores = tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]).log()
    target = tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert_close(LOSS(out(scores), target, batch([0, 1])), tensor([log(2), log(4)]))


def test_a_soft_target_weighs_the_log_probabilities() -> None:
    scores = tensor([[0.5, 0.25, 0.25]]).log()
    target = tensor([[0.5, 0.5, 0.0]])
    assert_close(LOSS(out(scores), target, batch([0])), tensor([(log(2) + log(4)) / 2]))


def test_scores_may_be_shifted() -> None:
    scores, target = torch.randn(4, 3), torch.full((4, 3), 1 / 3)
    y = batch([0, 1, 2, 0])
    assert_close(LOSS(out(scores + 7), target, y), LOSS(out(scores), target, y))
