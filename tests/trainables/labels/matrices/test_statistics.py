from itertools import combinations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from trainables.labels.matrices.statistics import distances, entropy, unit


def test_entropy_counts_each_distinct_number() -> None:
    labels = torch.tensor([[5.0, 5.0, 5.0, 5.0], [1.0, 1.0, 2.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    assert entropy(labels).tolist() == [0, 1, 2]


def test_the_entropy_of_a_category_of_ten_is_the_papers() -> None:
    assert_close(entropy(torch.eye(10)), torch.full((10,), 0.469), atol=1e-3, rtol=0)


def test_entropy_in_bins_takes_near_numbers_as_one() -> None:
    # Halves of [0, 8]: 0 and 1 are one case, 8 is in the last.
    labels = torch.tensor([[0.0, 1.0, 7.0, 8.0], [0.0, 1.0, 2.0, 3.0]])
    assert entropy(labels, bins=2).tolist() == [1, 0]


def test_distances_by_hand() -> None:
    labels = torch.tensor([[0.0, 0.0], [5.0, 0.0], [5.0, 10.0]])  # halves of 10
    assert distances(labels, 1).tolist() == [0.5, 1.5, 1.0]
    assert_close(distances(labels, 2), torch.tensor([0.5, 1.25**0.5, 1.0], dtype=torch.float64))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("induced", [False, True])
def test_distances_are_those_of_a_slow_loop(order: int, induced: bool) -> None:
    labels = torch.rand(4, 6, 5, generator=torch.Generator().manual_seed(0))
    pairs = combinations(unit(labels).numpy(), 2)
    apart = (one - other if induced else (one - other).ravel() for one, other in pairs)
    expected = torch.tensor([np.linalg.norm(each, ord=order) for each in apart])
    assert_close(distances(labels, order, induced), expected)  # type: ignore[arg-type]


def test_vectors_have_no_induced_norm() -> None:
    labels = torch.rand(3, 5)
    assert distances(labels, 1, induced=True).equal(distances(labels, 1))
