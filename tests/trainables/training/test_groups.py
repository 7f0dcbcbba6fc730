"""Groups of classes by their training images, by hand."""

from typing import Literal

import pytest
import torch
from torch import Tensor

from trainables.training.groups import accuracies, shots, thirds, unequal


def members(groups: dict[str, Tensor]) -> dict[str, list[int]]:
    return {name: mask.nonzero()[:, 0].tolist() for name, mask in groups.items()}


def test_thirds_are_by_count_and_of_equals_by_label() -> None:
    counts = torch.tensor([5, 9, 5, 1, 5, 9])
    expected = {"larger": [1, 5], "medium": [0, 2], "smaller": [3, 4]}
    assert members(thirds(counts, "medium")) == expected


@pytest.mark.parametrize(
    ("odd", "sizes"), [("larger", [4, 3, 3]), ("medium", [3, 4, 3]), ("smaller", [3, 3, 4])]
)
def test_the_odd_third_has_those_that_are_left(
    odd: Literal["larger", "medium", "smaller"], sizes: list[int]
) -> None:
    groups = members(thirds(torch.arange(10, 0, -1), odd))
    assert [len(group) for group in groups.values()] == sizes
    assert sorted(c for group in groups.values() for c in group) == list(range(10))


@pytest.mark.parametrize(
    ("counts", "expected"), [([4, 7], False), ([4, 8, 5], True), ([0, 1], True)]
)
def test_twice_as_many_images_make_classes_unequal(counts: list[int], expected: bool) -> None:
    assert unequal(torch.tensor(counts)) == expected


def test_shots_are_bounded_at_100_and_20() -> None:
    expected = {"many": [0], "medium_shot": [1, 2], "few": [3]}
    assert members(shots(torch.tensor([101, 100, 20, 19]))) == expected


def test_accuracies_are_of_each_groups_own_images_and_none_of_an_empty_group() -> None:
    y = torch.tensor([0, 0, 1, 1, 1])
    hits = torch.tensor([True, False, True, True, False])
    groups = {
        "one": torch.tensor([True, False, False]),
        "two": torch.tensor([False, True, False]),
        "none": torch.tensor([False, False, True]),
    }
    found = accuracies(hits, y, groups)
    assert found == {"accuracy_one": 0.5, "accuracy_two": pytest.approx(2 / 3)}
