from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.trainables.data.drawn import digits, images, long_tailed, rows, true_labels
from trainables.data.data import check_spec, held_out, share_of, subset
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.seeding import generator
from trainables.settings import Invalid, Use

labels = st.lists(st.integers(0, 4), min_size=1, max_size=120).map(
    lambda drawn: torch.tensor(drawn + [0, 1, 2, 3, 4] * 4)  # four images of each class at least
)
shares = st.floats(0.01, 0.6)
seeds = st.integers(0, 1000)


def counts(y: Tensor) -> list[int]:
    return torch.bincount(y, minlength=5).tolist()


@given(labels, shares, seeds)
@settings(deadline=None, max_examples=50)
def test_held_out_takes_the_share_of_every_class_and_leaves_the_rest(
    y: Tensor, share: float, seed: int
) -> None:
    held, rest = held_out(y, share, generator(seed, "split"))
    assert torch.cat([held, rest]).sort().values.tolist() == list(range(len(y)))
    assert counts(y[held]) == [max(1, round(share * count)) for count in counts(y)]
    assert held.equal(held.sort().values)
    assert rest.equal(rest.sort().values)


@given(labels, shares, seeds)
@settings(deadline=None, max_examples=20)
def test_what_is_held_out_depends_on_the_seed_alone(y: Tensor, share: float, seed: int) -> None:
    once, again = (held_out(y, share, generator(seed, "split")) for _ in range(2))
    assert once[0].equal(again[0])


def test_other_seeds_hold_out_other_images() -> None:
    y = torch.arange(100) % 5
    chosen = {tuple(held_out(y, 0.2, generator(seed, "split"))[0].tolist()) for seed in range(5)}
    assert len(chosen) == 5


def test_a_share_of_zero_holds_nothing_out() -> None:
    held, rest = held_out(torch.tensor([0, 1, 1]), 0.0, generator(0, "split"))
    assert held.tolist() == []
    assert rest.tolist() == [0, 1, 2]


def test_a_class_must_keep_an_image_to_train_on() -> None:
    message = r"dataspec.validation = 0.8: must be less, to leave some of the 2 images of class 1"
    with pytest.raises(Invalid, match=message):
        held_out(torch.tensor([0, 1, 0, 0, 1, 0, 0]), 0.8, generator(0, "split"))


def test_of_one_image_none_can_be_held_out_and_the_class_is_named() -> None:
    message = r"validation = 0.1: must be 0, or class 'b' must have more than its one image"
    with pytest.raises(Invalid, match=message):
        held_out(torch.tensor([0, 1, 0]), 0.1, generator(0, "split"), ("a", "b"))


@given(labels, st.lists(st.integers(1, 3), min_size=5, max_size=5), seeds)
@settings(deadline=None, max_examples=50)
def test_a_subset_has_so_many_of_the_given_rows_of_each_class(
    y: Tensor, sizes: list[int], seed: int
) -> None:
    _, rows = held_out(y, 0.01, generator(seed, "split"))
    chosen = subset(y, rows, sizes, generator(seed, "subset"))
    assert counts(y[chosen]) == sizes
    assert set(chosen.tolist()) <= set(rows.tolist())
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.equal(subset(y, rows, sizes, generator(seed, "subset")))


def test_training_and_validation_images_are_disjoint_and_all_there() -> None:
    data = digits(validation=0.25)
    assert rows(data.train).isdisjoint(rows(data.validation))
    assert rows(data.train) | rows(data.validation) == set(range(Digits.images))
    assert len(data.train) == len(data.train.y) == len(data.train.rows)


def test_labels_belong_to_their_images() -> None:
    x, y = Digits().load(Path(), "train")
    train = digits(train_per_class=20).train
    assert train.y.equal(y[train.rows])
    assert isinstance(train.images, Tensor)
    assert train.images.equal(x)


def test_training_on_fewer_images_leaves_the_validation_and_test_images_as_they_are() -> None:
    many, few = digits(), digits(train_per_class=5)
    assert len(few.train) == 50
    assert rows(few.train) < rows(many.train)
    assert rows(few.validation) == rows(many.validation)
    assert rows(few.test) == rows(many.test)


@pytest.mark.parametrize(
    ("images", "share", "kept"),
    [
        (5000, 0.01, 50),
        (500, 0.01, 5),
        (500, 1.0, 500),
        (114, 0.1, 11),  # 11.4
        (150, 0.01, 2),  # 1.5: a half counts
        (50, 0.29, 15),  # 14.5, which binary numbers have a little below
        (50, 0.27, 14),  # 13.5, which they have a little above
        (10, 0.01, 1),  # one at least
    ],
)
def test_a_share_is_rounded_half_up_and_at_least_one(images: int, share: float, kept: int) -> None:
    assert share_of(images, share) == kept


def test_a_share_is_of_every_class_those_held_out_counted_in() -> None:
    data = digits(train_share=0.1, validation=0.5)
    all_images = torch.bincount(true_labels()).tolist()
    assert images(data) == [int(count / 10 + 0.5) for count in all_images]
    assert rows(data.train) < rows(digits(validation=0.5).train)
    assert rows(data.validation) == rows(digits(validation=0.5).validation)
    assert images(digits(train_share=1.0, validation=0.0)) == all_images


def test_the_larger_share_has_the_images_of_the_smaller_one() -> None:
    assert rows(digits(train_share=0.02).train) < rows(digits(train_share=0.2).train)


def test_unequal_classes_begin_with_the_share_that_every_class_has() -> None:
    tail = images(long_tailed(10, train_share=0.5))
    assert (tail[0], tail[9]) == (56, 5)  # half of the 112 ones, the least, and a tenth


def test_a_share_that_is_not_left_is_refused_with_the_class() -> None:
    spec = DataSpec(source=Use(Digits), train_share=0.95, validation=0.1)
    message = r"train_share = 0.95: \d+ must be at most \d+, the images left of class 'zero'"
    with pytest.raises(Invalid, match=message):
        check_spec(spec, Path())


def test_a_number_and_a_share_of_images_are_not_set_together() -> None:
    message = "dataspec.train_share = 0.5: must be None where dataspec.train_per_class = 5"
    with pytest.raises(Invalid, match=message):
        DataSpec(source=Use(Digits), train_per_class=5, train_share=0.5)
    with pytest.raises(Invalid, match=r"train_share = 0.0: must lie in \(0, 1\]"):
        DataSpec(source=Use(Digits), train_share=0)


def test_the_seed_draws_the_split_and_the_subset_but_never_the_test_images() -> None:
    one, two = digits(1, train_per_class=5), digits(2, train_per_class=5)
    assert rows(one.train) != rows(two.train)
    assert rows(one.validation) != rows(two.validation)
    assert rows(one.test) == rows(two.test)
    assert rows(one.train) == rows(digits(1, train_per_class=5).train)


def test_the_parts_that_are_not_asked_for_are_not_there() -> None:
    data = digits(validation=0.0, test=False)
    assert data.validation is None
    assert data.test is None
    assert len(data.train) == Digits.images


def test_splits_share_one_copy_of_the_images() -> None:
    data = digits()
    assert data.validation is not None
    assert data.train.images is data.validation.images


def test_mean_and_deviation_are_those_of_pixels_up_to_255() -> None:
    data = digits()
    assert data.mean.shape == data.std.shape == (1, 1, 1, 1)
    assert data.mean.item() == pytest.approx(0.305 * 255)
    assert data.std.item() == pytest.approx(0.376 * 255)
    assert data.side == 8
    assert data.names[3] == "three"
