from pathlib import Path

import pytest
import torch

from trainables.labels.encoder import Encoder
from trainables.labels.matrices.word_matrices import WordMatrices
from trainables.labels.random_vectors import RandomVectors
from trainables.labels.words import Embedded
from trainables.settings import Invalid, Use

NAMES = ("zero", "one", "two")


def test_a_label_is_the_class_vector() -> None:
    labels = Use(WordMatrices).build()(NAMES, Path(), 0)
    assert labels.equal(Use(Embedded, size=50).build()(NAMES, Path(), 0))


def test_a_shape_holds_the_numbers_in_order() -> None:
    vectors = Use(Embedded, size=6)
    labels = Use(WordMatrices, vectors=vectors, shape=(2, 3)).build()(NAMES, Path(), 0)
    assert labels.shape == (3, 2, 3)
    assert labels.flatten(1).equal(vectors.build()(NAMES, Path(), 0))


def test_a_shape_of_another_size_is_refused() -> None:
    use = Use(WordMatrices, vectors=Use(Embedded, size=6), shape=(48, 48))
    valid = r"must hold 6 numbers, as the vectors of Embedded have"
    with pytest.raises(Invalid, match=rf"WordMatrices.shape = \(48, 48\): {valid}"):
        use.build()(NAMES, Path(), 0)


def test_the_highest_number_of_all_classes_is_that_and_the_least_is_zero() -> None:
    given = Use(Embedded, size=6).build()(NAMES, Path(), 0)
    labels = Use(WordMatrices, vectors=Use(Embedded, size=6), highest=80.0).build()(
        NAMES, Path(), 0
    )
    assert (labels.min(), labels.max()) == (0, pytest.approx(80))
    assert labels.flatten().argsort().equal(given.flatten().argsort())


def test_vectors_that_follow_the_trials_seed_do_so_here() -> None:
    use = Use(WordMatrices, vectors=Use(RandomVectors, per_trial=True))
    one, other = (use.build()(NAMES, Path(), seed) for seed in (0, 1))
    assert not torch.equal(one, other)


def test_demo_labels_of_glove_and_of_bert_stay_apart() -> None:
    between = Use(Encoder, path="bert", pooling="between")
    bert = Use(WordMatrices, vectors=between, shape=(48, 48), highest=80.0)
    assert bert.demo() == Use(WordMatrices, vectors=Use(Embedded, size=64), highest=80.0)
    assert bert.demo().build()(NAMES, Path(), 0).shape == (3, 64)
    assert Use(WordMatrices).demo() == Use(WordMatrices)
