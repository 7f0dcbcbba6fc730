import math
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from trainables.measures.calibration import Calibration, calibration_error
from trainables.measures.measure import Finished
from trainables.seeding import generator


def slow(probabilities: Tensor, y: Tensor, bins: int) -> float:
    """Equation (3), and the text before it, image by image."""
    members: dict[int, list[tuple[float, bool]]] = {}
    for row, label in zip(probabilities.tolist(), y.tolist(), strict=True):
        confidence = max(row)
        right = row.index(confidence) == label
        m = next(m for m in range(1, bins + 1) if confidence <= m / bins)
        members.setdefault(m, []).append((confidence, right))
    total = 0.0
    for inside in members.values():
        accuracy = sum(right for _, right in inside) / len(inside)
        confidence = sum(c for c, _ in inside) / len(inside)
        total += len(inside) / len(y) * abs(accuracy - confidence)
    return total


def test_by_hand() -> None:
    # Two bins: one image at 0.5 and right, two at 0.9, of which one is right.
    probabilities = tensor([[0.5, 0.3, 0.2], [0.9, 0.1, 0.0], [0.9, 0.05, 0.05]])
    error = calibration_error(probabilities, tensor([0, 0, 1]), bins=2)
    assert error == pytest.approx(1 / 3 * 0.5 + 2 / 3 * 0.4, abs=1e-6)


def test_the_border_belongs_to_the_lower_bin() -> None:
    # Of two bins the first has both images: right at 0.5, wrong at 0.375.
    probabilities = tensor([[0.5, 0.25, 0.25], [0.375, 0.3125, 0.3125]], dtype=torch.double)
    assert calibration_error(probabilities, tensor([0, 1]), bins=2) == pytest.approx(0.0625)


def test_the_measure_is_of_the_softmax_of_the_scores() -> None:
    # By 15 bins, too: one image at 0.5 and right, two at 0.9, of which one is right.
    scores = 7 + tensor([[0.5, 0.3, 0.2], [0.9, 0.07, 0.03], [0.9, 0.05, 0.05]]).log()
    outputs = {"test.scores": scores, "test.y": tensor([0, 0, 1])}
    finished = cast(Finished, SimpleNamespace(outputs=outputs))
    expected = pytest.approx(1 / 3 * 0.5 + 2 / 3 * 0.4, abs=1e-6)
    assert Calibration()(finished) == {"ece": expected}


def test_perfect_and_worst() -> None:
    sure = tensor([[1.0, 0.0]] * 4)
    assert calibration_error(sure, tensor([0] * 4), 15) == 0
    assert calibration_error(sure, tensor([1] * 4), 15) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 200), st.integers(2, 12), st.integers(1, 30))
def test_it_equals_a_slow_transcription(seed: int, n: int, classes: int, bins: int) -> None:
    chance = generator(seed, "test")
    scores = 3 * torch.randn(n, classes, generator=chance, dtype=torch.double)
    y = torch.randint(0, classes, (n,), generator=chance)
    probabilities = scores.softmax(1)
    found = calibration_error(probabilities, y, bins)
    assert math.isclose(found, slow(probabilities, y, bins), abs_tol=1e-9)
