from pathlib import Path

import pytest
import torch
from torch import Tensor

from trainables.labels.random_vectors import RandomVectors
from trainables.settings import Invalid, Use


def test_random_vectors_are_uniform_and_the_same_in_every_trial_unless_asked() -> None:
    def drawn(seed: int, **settings: object) -> Tensor:
        found: Tensor = Use(RandomVectors, **settings).build()(["a"] * 50, Path(), seed)
        return found

    assert drawn(0).shape == (50, 300)
    assert torch.equal(drawn(0), drawn(1))
    assert not torch.equal(drawn(0, per_trial=True), drawn(1, per_trial=True))
    between = drawn(0, low=2, high=3)
    assert 2 <= between.min() < 2.01
    assert 2.99 < between.max() <= 3
    with pytest.raises(Invalid, match=r"RandomVectors.low = 1.0: must be below high = 1.0"):
        Use(RandomVectors, low=1)
