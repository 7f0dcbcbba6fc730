from pathlib import Path

import pytest
import torch

from trainables.labels.matrices.constant import ConstantMatrices
from trainables.labels.matrices.label_matrices import distinct, made
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.labels.matrices.word_matrices import WordMatrices
from trainables.settings import Invalid, Use

NAMES = ("cat", "dog", "horse")


def test_two_classes_with_one_label_are_both_named() -> None:
    labels = torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0]])
    with pytest.raises(Invalid, match=r"classes 'cat' and 'horse' have one label: must be apart"):
        distinct(labels, NAMES)
    assert distinct(labels[:2], NAMES[:2]).equal(labels[:2])


def test_two_classes_of_one_name_are_told_apart_by_their_labels() -> None:
    labels = torch.eye(2)
    assert distinct(labels, ("crane", "crane")).equal(labels)


def test_labels_are_made_once_in_a_process() -> None:
    use = Use(UniformMatrices)
    one = made(use, NAMES, Path(), 0)
    assert one.shape == (3, 64, 64)
    assert made(Use(UniformMatrices), NAMES, Path(), 0) is one
    assert not made(Use(UniformMatrices, seed=1), NAMES, Path(), 0).equal(one)
    assert made(Use(ConstantMatrices), NAMES, Path(), 0)[1].unique().tolist() == [40.0]


def test_no_label_follows_the_seed_of_the_trial() -> None:
    use = Use(UniformMatrices)
    assert made(use, NAMES, Path(), 0).equal(made(use, NAMES, Path(), 1))


def test_labels_that_are_made_are_held_against_each_other() -> None:
    with pytest.raises(Invalid, match="classes 'cat' and 'Cat' have one label"):
        made(Use(WordMatrices), ("cat", "dog", "Cat"), Path(), 0)
