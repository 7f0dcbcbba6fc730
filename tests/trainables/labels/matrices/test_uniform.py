from pathlib import Path

import pytest
import torch

from trainables.labels.matrices.uniform import UniformMatrices
from trainables.settings import Invalid, Use

NAMES = ["a"] * 10


def test_numbers_are_uniform_up_to_high_in_any_shape() -> None:
    labels = UniformMatrices()(NAMES, Path(), 0)
    assert labels.shape == (10, 64, 64)
    assert labels.dtype == torch.float32
    assert 0 <= labels.min() < 0.1
    assert 79.9 < labels.max() < 80
    assert labels.mean() == pytest.approx(40, abs=0.5)
    assert labels.std() == pytest.approx(80 / 12**0.5, abs=0.5)
    assert UniformMatrices(shape=(10,), high=1)(NAMES, Path(), 0).shape == (10, 10)


def test_another_seed_gives_other_numbers() -> None:
    one = UniformMatrices()(NAMES, Path(), 0)
    assert one.equal(UniformMatrices()(NAMES, Path(), 0))
    assert not one.equal(UniformMatrices(seed=1)(NAMES, Path(), 0))


def test_a_label_without_a_dimension_is_refused() -> None:
    with pytest.raises(Invalid, match=r"UniformMatrices.shape = \(\): must have a dimension"):
        Use(UniformMatrices, shape=())
