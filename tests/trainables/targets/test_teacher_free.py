from math import log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.settings import Invalid, Use
from trainables.targets.teacher_free import TeacherFree, log_virtual_teacher, virtual_teacher


def test_the_teacher_has_a_at_the_label_and_the_rest_is_shared_by_the_others() -> None:
    expected = tensor([[0.05, 0.9, 0.05], [0.9, 0.05, 0.05]])
    assert_close(virtual_teacher(tensor([1, 0]), 3, 0.9), expected)


@given(st.lists(st.integers(0, 4), min_size=1), st.floats(0.01, 0.99))
def test_it_is_a_distribution(y: list[int], correct: float) -> None:
    assert_close(virtual_teacher(tensor(y), 5, correct).sum(1), torch.ones(len(y)))


def test_the_public_codes_logits_are_the_probabilities_themselves() -> None:
    teacher = TeacherFree(small_task(), correct=0.9, logits="probabilities")
    expected = tensor([[0.05, 0.9, 0.05]]).softmax(1)
    assert_close(teacher(batch([1]), out(torch.zeros(1, 3))), expected)


def test_a_share_that_rounds_to_zero_has_a_logarithm() -> None:
    expected = tensor([[log(0.5), -60 * log(10), log(0.5)]])
    assert_close(log_virtual_teacher(tensor([1]), 3, 1e-60), expected)
    assert_close(log_virtual_teacher(tensor([1]), 3, 0.9), tensor([[0.05, 0.9, 0.05]]).log())


@pytest.mark.parametrize("correct", [0, 1, -0.1])
def test_the_teacher_is_neither_certain_nor_never_right(correct: float) -> None:
    with pytest.raises(Invalid, match=r"TeacherFree.correct = .*: must lie in \(0, 1\)"):
        Use(TeacherFree, correct=correct)
