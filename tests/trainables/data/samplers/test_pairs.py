"""Pairs of one class, whatever the sizes of the classes."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.data.samplers.pairs import Pairs
from trainables.seeding import generator

labels = st.lists(st.integers(0, 4), min_size=2, max_size=60).map(torch.tensor)


def drawn(y: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return Pairs()(y, 5, generator(seed, "order"))


@given(labels, st.integers(0, 100))
@settings(deadline=None, max_examples=100)
def test_two_and_two_are_of_one_class_and_an_epoch_is_no_longer(y: torch.Tensor, seed: int) -> None:
    pairs = drawn(y, seed).view(-1, 2)
    assert len(pairs) == len(y) // 2
    assert y[pairs[:, 0]].equal(y[pairs[:, 1]])
    odd = sum(torch.bincount(y) % 2)
    assert len(pairs.unique()) >= 2 * len(pairs) - odd


def test_of_even_classes_every_image_is_there_once() -> None:
    y = torch.arange(40) % 5
    assert drawn(y).sort().values.tolist() == list(range(40))


def test_an_only_image_is_its_own_partner() -> None:
    assert drawn(torch.tensor([3, 1])).tolist() in ([0, 0], [1, 1])


def test_the_seed_draws() -> None:
    y = torch.arange(40) % 5
    assert drawn(y, 1).equal(drawn(y, 1))
    assert not drawn(y, 1).equal(drawn(y, 2))
