import math

import pytest
from torch import tensor
from torch.testing import assert_close

from trainables.measures.measure import Finished
from trainables.measures.neighbour_kl import NeighbourKL, mean_divergence, neighbour_labels
from trainables.settings import Invalid

TRUTH = tensor([[1.0, 0.0], [0.5, 0.5]])
SCORES = tensor([[0.0, 0.0], [0.0, math.log(3)]])  # p = (1/2, 1/2) and (1/4, 3/4)


def test_by_hand_zeros_of_the_truth_count_nothing() -> None:
    first = math.log(2)
    second = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert mean_divergence(TRUTH, SCORES, tensor([0, 1]), True) == pytest.approx(
        (first + second) / 2, abs=1e-6
    )


def test_only_what_is_predicted_correctly_counts_unless_all_is_wanted() -> None:
    y = tensor([0, 0])  # the second is predicted as 1
    assert mean_divergence(TRUTH, SCORES, y, True) == pytest.approx(math.log(2), abs=1e-6)
    every = mean_divergence(TRUTH, SCORES, y, False)
    assert every == pytest.approx(mean_divergence(TRUTH, SCORES, tensor([0, 1]), True))


def test_with_nothing_predicted_correctly_there_is_no_number() -> None:
    with pytest.raises(Invalid, match="no test image is predicted correctly"):
        mean_divergence(TRUTH, SCORES, tensor([1, 0]), True)


def test_neighbours_are_the_image_itself_and_the_nearest_others() -> None:
    x = tensor([[0.0], [1.0], [1.0], [9.0]])
    y = tensor([0, 1, 2, 2])
    found = neighbour_labels(x, y, neighbours=1, classes=3)
    assert_close(
        found, tensor([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]])
    )


def test_the_digits_of_the_test_set_have_a_stand_in(finished: Finished) -> None:
    assert NeighbourKL(only_correct=False)(finished)["kl"] > 0
