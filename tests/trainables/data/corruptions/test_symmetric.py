import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from trainables.data.corruptions.symmetric import Symmetric, symmetric
from trainables.seeding import generator
from trainables.settings import Invalid, Use

CLASSES = 5
labels = st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=80).map(tensor)
rates = st.floats(0, 1)
seeds = st.integers(0, 1000)


def noisy(
    y: Tensor, rate: float, seed: int = 0, own_class: bool = False, exact: bool = True
) -> Tensor:
    chance = generator(seed, "corrupt", 0)
    return symmetric(y, CLASSES, rate, chance, own_class=own_class, exact=exact)


@given(labels, rates, seeds)
@settings(deadline=None, max_examples=100)
def test_exactly_the_share_of_the_labels_becomes_another_class(
    y: Tensor, rate: float, seed: int
) -> None:
    drawn = noisy(y, rate, seed)
    assert int((drawn != y).sum()) == round(rate * len(y))
    assert ((drawn >= 0) & (drawn < CLASSES)).all()


@given(labels, rates, seeds)
@settings(deadline=None, max_examples=100)
def test_with_the_own_class_at_most_the_share_becomes_another(
    y: Tensor, rate: float, seed: int
) -> None:
    drawn = noisy(y, rate, seed, own_class=True)
    assert int((drawn != y).sum()) <= round(rate * len(y))
    assert ((drawn >= 0) & (drawn < CLASSES)).all()


@given(labels, rates, rates, seeds, st.booleans(), st.booleans())
@settings(deadline=None, max_examples=100)
def test_a_smaller_rate_changes_some_of_what_a_larger_one_changes_to_the_same(
    y: Tensor, one: float, other: float, seed: int, own_class: bool, exact: bool
) -> None:
    low, high = (noisy(y, rate, seed, own_class, exact) for rate in sorted((one, other)))
    changed = low != y
    assert low[changed].equal(high[changed])


@given(labels, rates, seeds)
@settings(deadline=None, max_examples=20)
def test_the_given_labels_stay_as_they_are(y: Tensor, rate: float, seed: int) -> None:
    before = y.clone()
    noisy(y, rate, seed)
    assert y.equal(before)


@pytest.mark.parametrize("exact", [True, False])
def test_every_other_class_is_as_likely_whatever_the_class(exact: bool) -> None:
    y = torch.arange(CLASSES).repeat(20_000)
    pairs = torch.bincount(CLASSES * y + noisy(y, 0.4, exact=exact), minlength=CLASSES**2)
    expected = torch.full((CLASSES, CLASSES), 0.1).fill_diagonal_(0.6)
    assert_close(pairs.reshape(CLASSES, CLASSES) / 20_000, expected, atol=0.015, rtol=0)


def test_where_the_own_class_may_be_drawn_it_is_as_likely_as_any() -> None:
    y = torch.arange(CLASSES).repeat(20_000)
    pairs = torch.bincount(CLASSES * y + noisy(y, 0.4, own_class=True), minlength=CLASSES**2)
    expected = torch.full((CLASSES, CLASSES), 0.08).fill_diagonal_(0.68)
    assert_close(pairs.reshape(CLASSES, CLASSES) / 20_000, expected, atol=0.015, rtol=0)


def test_label_by_label_the_number_varies_with_the_seed() -> None:
    y = torch.zeros(1000, dtype=torch.int64)
    numbers = [int((noisy(y, 0.4, seed, exact=False) != y).sum()) for seed in range(20)]
    assert len(set(numbers)) > 5
    assert sum(numbers) / 20_000 == pytest.approx(0.4, abs=0.015)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("rate", "wrong"), [(0.0, 0), (1.0, 7)])
def test_no_label_or_every_label(rate: float, wrong: int, exact: bool) -> None:
    y = tensor([0, 1, 2, 3, 4, 0, 1])
    assert int((noisy(y, rate, exact=exact) != y).sum()) == wrong


def test_the_part_draws_by_its_settings() -> None:
    y = torch.arange(CLASSES).repeat(10)
    part = Use(Symmetric, rate=0.3, own_class=True, exact=False).build()
    expected = noisy(y, 0.3, own_class=True, exact=False)
    assert part(y, "abcde", generator(0, "corrupt", 0)).equal(expected)


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_the_rate_is_a_share(rate: float) -> None:
    with pytest.raises(Invalid, match=r"Symmetric.rate = .*: must lie in \[0, 1\]"):
        Use(Symmetric, rate=rate)
