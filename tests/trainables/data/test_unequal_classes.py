"""Data with a long tail, and the clean images that a method learns from besides."""

from pathlib import Path

import pytest
import torch

from tests.trainables.data.drawn import digits, images, long_tailed, rows, true_labels
from trainables.data.corruptions.flip import FlipNoise
from trainables.data.corruptions.symmetric import Symmetric
from trainables.data.data import check_spec
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.sources.cifar import Cifar10
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.settings import Invalid, Use


def test_the_largest_class_has_train_per_class_or_what_every_class_has() -> None:
    assert images(long_tailed(10, train_per_class=50))[::3] == [50, 23, 10, 5]
    assert images(long_tailed(1, validation=0.0)) == [112] * 10  # the digit 1 has no more


def test_a_longer_tail_leaves_images_out_and_changes_no_other_split() -> None:
    short, long = long_tailed(5), long_tailed(20)
    assert rows(long.train) < rows(short.train)
    assert rows(long.validation) == rows(short.validation)
    assert rows(long.test) == rows(short.test)


def test_more_than_there_are_is_refused_with_the_class() -> None:
    message = r"train_per_class = 115: must be at most 112, the images left of class 'one'"
    with pytest.raises(Invalid, match=message):
        digits(train_per_class=115, validation=0.0, imbalance=Use(LongTail, rho=1.01))
    with pytest.raises(Invalid, match=r"at most \d+, the images left of class 'zero'"):
        check_spec(DataSpec(source=Use(Digits), train_per_class=1000), Path())
    with pytest.raises(Invalid, match="leaves class 'nine' empty"):
        check_spec(DataSpec(source=Use(Digits), imbalance=Use(LongTail, rho=105)), Path())


def test_counts_are_looked_at_only_where_they_are_chosen() -> None:
    check_spec(DataSpec(source=Use(Cifar10)), Path("nowhere"))  # else its files were missing


def test_the_meta_set_is_clean_balanced_and_apart() -> None:
    noise = (Use(Symmetric, rate=0.5),)
    data = digits(meta_per_class=5, validation=0.1, corrupt=noise)
    assert data.meta is not None
    assert torch.bincount(data.meta.y).tolist() == [5] * 10
    assert data.meta.truth is None
    clean = digits(validation=0.1)
    assert rows(data.meta) | rows(data.train) == rows(clean.train)
    assert not rows(data.meta) & rows(data.train)
    assert rows(data.validation) == rows(clean.validation)
    assert data.meta.y.equal(true_labels()[data.meta.rows])


def test_drawn_before_the_cut_it_takes_from_all_images_drawn_after_it_from_those_left() -> None:
    cut = {"train_per_class": 20, "validation": 0.0, "meta_per_class": 5}
    before, after = digits(**cut), digits(meta_drawn="after", **cut)
    plain = digits(train_per_class=20, validation=0.0)
    assert before.meta is not None
    assert after.meta is not None
    assert len(before.train) == 200
    assert len(after.train) == 150
    assert rows(after.meta) | rows(after.train) == rows(plain.train)
    assert not rows(before.meta) <= rows(plain.train)


def test_a_meta_set_that_the_rarest_class_cannot_give_is_refused_with_the_class() -> None:
    spec = DataSpec(source=Use(Digits), train_per_class=5, meta_per_class=5, meta_drawn="after")
    message = "meta_per_class = 5: must be below 5, the images left of class 'zero', one of which"
    with pytest.raises(Invalid, match=message):
        check_spec(spec, Path())
    with pytest.raises(Invalid, match=r"meta_per_class = 500: must be below \d+"):
        check_spec(DataSpec(source=Use(Digits), meta_per_class=500), Path())


def test_a_map_of_labels_that_is_none_for_the_classes_is_refused_before_the_start() -> None:
    with pytest.raises(Invalid, match=r"FlipNoise\.to"):
        check_spec(DataSpec(source=Use(Digits), corrupt=(Use(FlipNoise),)), Path())
