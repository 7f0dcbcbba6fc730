from pathlib import Path

import torch

from trainables.labels.matrices.constant import ConstantMatrices


def test_class_i_is_filled_with_its_share_of_80() -> None:
    labels = ConstantMatrices()(["a", "b", "c"], Path(), 0)
    assert labels.shape == (3, 64, 64)
    assert labels.dtype == torch.float32
    assert [label.unique().tolist() for label in labels] == [[0.0], [40.0], [80.0]]


def test_one_class_alone_is_filled_with_0() -> None:
    assert ConstantMatrices()(["a"], Path(), 0).unique().tolist() == [0.0]
