import math
from types import SimpleNamespace
from typing import cast

import pytest
import torch
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


def test_of_equally_near_images_the_earlier_is_the_neighbour() -> None:
    x, y = torch.zeros(100, 1), tensor([1, 2, *[0] * 98])
    found = neighbour_labels(x, y, neighbours=1, classes=3)
    assert_close(found[0], tensor([0.0, 0.5, 0.5]))
    assert_close(found[1], tensor([0.0, 0.5, 0.5]))
    assert_close(found[2:], tensor([0.5, 0.5, 0.0]).expand(98, 3))


def test_the_measure_is_of_what_is_predicted_correctly_unless_all_is_wanted() -> None:
    # Both neighbours are labelled 0, and the second is predicted as 1.
    outputs = {"test.scores": SCORES, "test.y": tensor([0, 0])}
    test = SimpleNamespace(images=tensor([[0.0], [1.0]]), rows=tensor([0, 1]))
    finished = cast(Finished, SimpleNamespace(outputs=outputs, test=test))
    right = {"kl": pytest.approx(math.log(2), abs=1e-6)}
    assert NeighbourKL(neighbours=1)(finished) == right
    assert NeighbourKL(neighbours=1, only_correct=True)(finished) == right
    every = {"kl": pytest.approx((math.log(2) + math.log(4)) / 2, abs=1e-6)}
    assert NeighbourKL(neighbours=1, only_correct=False)(finished) == every


def test_the_digits_of_the_test_set_have_a_stand_in(finished: Finished) -> None:
    assert NeighbourKL(only_correct=False)(finished)["kl"] > 0
