"""The embedded digits, held against those that they were cut from."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from trainables.data.sources.digits import EMBEDDED
from trainables.data.sources.embedded.cut import cut


def test_the_file_is_what_is_cut_and_has_scikit_learns_numbers(tmp_path: Path) -> None:
    cut(tmp_path / "digits.npz")
    with np.load(EMBEDDED) as kept, np.load(tmp_path / "digits.npz") as made:
        for name, right in zip(("images", "labels"), load_digits(return_X_y=True), strict=True):
            assert kept[name].dtype == np.uint8
            assert np.array_equal(kept[name].reshape(right.shape), right)
            assert np.array_equal(made[name], kept[name])
