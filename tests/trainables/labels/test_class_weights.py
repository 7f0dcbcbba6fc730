"""Class weights by hand, and against the public code of the class-balanced loss, transcribed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from trainables.labels.class_weights import class_weights

counts = st.lists(st.integers(1, 6000), min_size=1, max_size=20)


def test_inverse_weights_by_hand() -> None:
    # 1/1, 1/2 and 1/4 times 3 / (7/4).
    expected = torch.tensor([12 / 7, 6 / 7, 3 / 7])
    assert_close(class_weights(torch.tensor([1, 2, 4]), "inverse", 0.0), expected)


def test_effective_weights_by_hand() -> None:
    # beta 0.5: E_1 = 1, E_2 = 1.5; 1 and 2/3 times 2 / (5/3).
    assert_close(class_weights(torch.tensor([1, 2]), "effective", 0.5), torch.tensor([1.2, 0.8]))


@given(counts, st.sampled_from([0.0, 0.9, 0.99, 0.999, 0.9999]))
@settings(deadline=None, max_examples=50)
def test_effective_weights_are_those_of_a_slow_transcription(n: list[int], beta: float) -> None:
    numbers = [sum(beta**i for i in range(images)) for images in n]  # equation 2, term by term
    weights = [1 / number for number in numbers]
    expected = torch.tensor([len(n) * w / sum(weights) for w in weights])
    assert_close(class_weights(torch.tensor(n), "effective", beta), expected, rtol=1e-4, atol=1e-6)


@given(counts)
@settings(deadline=None, max_examples=50)
def test_beta_0_weighs_all_the_same_and_beta_near_1_inversely(n: list[int]) -> None:
    given = torch.tensor(n)
    assert_close(class_weights(given, "effective", 0.0), torch.ones(len(n)))
    near = class_weights(given, "effective", 1 - 1e-8)
    assert_close(near, class_weights(given, "inverse", 0.0), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("rule", ["inverse", "effective"])
def test_a_class_without_images_has_no_weight(rule: str) -> None:
    weights = class_weights(torch.tensor([0, 3, 3]), rule, 0.9)  # type: ignore[arg-type]
    assert_close(weights, torch.tensor([0.0, 1.5, 1.5]))
