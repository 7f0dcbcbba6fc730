from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth, log_smooth, smooth


def test_epsilon_is_spread_over_all_classes_the_label_too() -> None:
    expected = tensor([[0.1, 0.1, 0.7, 0.1], [0.7, 0.1, 0.1, 0.1]])
    assert_close(smooth(tensor([2, 0]), classes=4, epsilon=0.4), expected)


def test_without_epsilon_it_is_the_label() -> None:
    assert smooth(tensor([1]), classes=3, epsilon=0.0).tolist() == [[0, 1, 0]]


def test_with_epsilon_one_it_is_uniform() -> None:
    assert_close(smooth(tensor([1]), classes=4, epsilon=1.0), torch.full((1, 4), 0.25))


def test_an_epsilon_that_rounds_to_zero_has_a_logarithm() -> None:
    assert smooth(tensor([1]), classes=3, epsilon=1e-60).tolist() == [[0, 1, 0]]
    far = -60 * log(10) - log(3)
    assert_close(log_smooth(tensor([1]), classes=3, epsilon=1e-60), tensor([[far, 0.0, far]]))
    label = tensor([[-torch.inf, 0.0, -torch.inf]])
    assert_close(log_smooth(tensor([1]), classes=3, epsilon=0.0), label)
    assert_close(log_smooth(tensor([1]), 4, 0.4), tensor([[0.1, 0.7, 0.1, 0.1]]).log())


@given(st.integers(2, 200), st.floats(0, 0.99), st.data())
@settings(deadline=None, max_examples=50)
def test_every_row_is_a_distribution_with_its_maximum_on_the_label(
    classes: int, epsilon: float, data: st.DataObject
) -> None:
    y = tensor(data.draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=5)))
    soft = smooth(y, classes, epsilon)
    assert_close(soft.sum(1), torch.ones(len(y)))
    assert (soft >= 0).all()
    assert soft.argmax(1).equal(y)


def test_the_part_smooths_the_labels_of_the_batch() -> None:
    targets = Smooth(small_task(classes=3), epsilon=0.3)
    expected = tensor([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    assert_close(targets(batch([1, 2]), out(torch.zeros(2, 3))), expected)


@pytest.mark.parametrize("epsilon", [-0.1, 1.1])
def test_epsilon_is_a_share(epsilon: float) -> None:
    with pytest.raises(Invalid, match=r"Smooth.epsilon = .*: must lie in \[0, 1\]"):
        Use(Smooth, epsilon=epsilon)
