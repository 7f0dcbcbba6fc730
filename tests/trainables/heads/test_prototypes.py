"""Prototypes by hand."""

import torch
from torch.testing import assert_close

from tests.trainables.small import small_task
from trainables.heads.prototypes import Prototypes, squared_distances


def test_distances_by_hand() -> None:
    found = squared_distances(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0], [4.0, 6.0]]))
    assert found.tolist() == [[0, 25]]


def test_distances_are_never_negative() -> None:
    points = 1e3 + torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    assert squared_distances(points, points).min() >= 0


def test_scores_are_the_nearer_the_higher() -> None:
    head = Prototypes(small_task(), 2, gamma=0.5)
    with torch.no_grad():
        head.prototypes.copy_(torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]]))
    output = head(torch.tensor([[0.0, 0.0]]))
    assert_close(output, torch.tensor([[0.0, 25.0, 1.0]]))
    assert_close(head.scores(output), torch.tensor([[0.0, -12.5, -0.5]]))


def test_prototypes_are_learned_and_start_at_0() -> None:
    head = Prototypes(small_task(), 2)
    assert [name for name, _ in head.named_parameters()] == ["prototypes"]
    assert not head.prototypes.any()
