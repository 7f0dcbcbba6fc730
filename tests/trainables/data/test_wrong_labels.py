"""Data with wrong labels: which, how many, in which splits."""

from tests.trainables.data.drawn import digits
from trainables.data.corruptions.symmetric import Symmetric
from trainables.data.data import Data
from trainables.settings import Use


def noisy(seed: int = 0, validation: bool = True, **settings: object) -> Data:
    rule = Use(Symmetric, validation=validation, **settings)
    return digits(seed, corrupt=(rule,), validation=0.25)


def test_without_corruption_the_labels_are_the_clean_ones() -> None:
    train = digits().train
    assert train.truth is None
    assert train.clean.equal(train.y)
    assert train.flipped.tolist() == []


def test_wrong_training_labels_are_as_many_as_asked_for_and_known() -> None:
    clean, train = digits(validation=0.25).train, noisy(rate=0.3).train
    assert train.rows.equal(clean.rows)
    assert train.clean.equal(clean.y)
    wrong = (train.y != clean.y).nonzero()[:, 0]
    assert train.flipped.equal(wrong)
    assert len(wrong) == round(0.3 * len(train))


def test_the_images_with_wrong_labels_are_a_split_of_their_own() -> None:
    train = noisy(rate=0.3).train
    wrong, places = train.wrong, (train.y != train.clean).nonzero()[:, 0]
    assert wrong is not None
    assert wrong.rows.equal(train.rows[places])
    assert wrong.y.equal(train.y[places])
    assert digits().train.wrong is None
    assert noisy(rate=0).train.wrong is None


def test_the_share_is_that_of_the_images_that_are_left() -> None:
    data = digits(train_per_class=5, corrupt=(Use(Symmetric, rate=0.4),))
    assert len(data.train.flipped) == 20


def test_validation_labels_are_wrong_too_unless_they_are_to_stay_clean() -> None:
    both, train_only = noisy(rate=0.3).validation, noisy(rate=0.3, validation=False).validation
    assert both is not None
    assert train_only is not None
    assert len(both.flipped) == round(0.3 * len(both))
    assert train_only.flipped.tolist() == []
    assert both.clean.equal(train_only.y)


def test_whether_validation_labels_are_wrong_changes_no_training_label() -> None:
    assert noisy().train.y.equal(noisy(validation=False).train.y)


def test_test_labels_stay_clean() -> None:
    test, clean = noisy(rate=1).test, digits().test
    assert test is not None
    assert clean is not None
    assert test.y.equal(clean.y)


def test_the_seed_draws_the_wrong_labels() -> None:
    assert noisy(1).train.y.equal(noisy(1).train.y)
    assert noisy(1).train.flipped.tolist() != noisy(2).train.flipped.tolist()


def test_rules_work_one_after_the_other_each_with_chance_of_its_own() -> None:
    rule = Use(Symmetric, rate=0.5)
    train = digits(corrupt=(rule, rule)).train
    share = len(train.flipped) / len(train)
    assert 0.6 < share < 0.9  # 0.722 is expected; the same draw again would leave 0.5
