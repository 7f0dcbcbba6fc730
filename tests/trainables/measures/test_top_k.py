from types import SimpleNamespace
from typing import cast

import pytest
from torch import arange, tensor, zeros

from tests.trainables.measures.conftest import TRIAL
from trainables.measures.measure import Finished
from trainables.measures.top_k import TopK, accuracies, top_k
from trainables.settings import Invalid

SCORES = tensor([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])


def test_the_share_of_labels_among_the_k_highest() -> None:
    y = tensor([0, 2, 1, 0])  # ranks 1, 2, 2, 3
    assert [top_k(SCORES, y, k) for k in (1, 2, 3)] == [0.25, 0.75, 1.0]


def test_of_equal_scores_the_lower_class_comes_first() -> None:
    equal = tensor([[1.0, 1.0, 1.0]])
    assert [top_k(equal, tensor([1]), k) for k in (1, 2)] == [0.0, 1.0]


def test_of_many_equal_scores_too() -> None:
    equal = zeros(100, 100)
    assert top_k(equal, arange(100), 30) == pytest.approx(0.3)
    assert top_k(equal[:1], tensor([29]), 30) == 1.0
    assert top_k(equal[:1], tensor([30]), 30) == 0.0


def test_with_fewer_than_five_classes_all_are_among_the_top_five() -> None:
    assert accuracies(SCORES, tensor([0, 2, 1, 0])) == {"accuracy": 0.25, "top5_accuracy": 1.0}


def test_with_more_the_fifth_highest_is_among_the_top_five_and_the_sixth_is_not() -> None:
    scores = arange(6.0).flip(0).expand(6, 6)  # label k has rank k + 1
    found = accuracies(scores, arange(6))
    assert found == {"accuracy": pytest.approx(1 / 6), "top5_accuracy": pytest.approx(5 / 6)}


def test_the_measure_has_as_many_as_it_is_told_by_default_five() -> None:
    outputs = {"test.scores": arange(6.0).flip(0).expand(6, 6), "test.y": arange(6)}
    finished = cast(Finished, SimpleNamespace(outputs=outputs))
    assert TopK(k=2)(finished) == {"accuracy": pytest.approx(2 / 6)}
    assert TopK()(finished) == {"accuracy": pytest.approx(5 / 6)}


def test_top_1_is_the_accuracy_of_the_last_epoch(finished: Finished) -> None:
    result = finished.files.shelf.read_json("result.json")
    expected = result["selected"]["last"]["test.accuracy"]
    assert TopK(k=1)(finished)["accuracy"] == pytest.approx(expected, abs=1e-6)
    assert TopK(k=1)(finished)["accuracy"] <= TopK(k=5)(finished)["accuracy"] <= 1


def test_more_than_there_are_classes_is_refused() -> None:
    with pytest.raises(Invalid, match=r"TopK.k = 11: must be at most 10"):
        TopK.suits(TRIAL, k=11)
