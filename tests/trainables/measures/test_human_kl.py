import io
import math
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from tests.trainables.measures.conftest import TRIAL
from trainables.measures.human_kl import HumanKL, human_labels
from trainables.measures.measure import Finished, flat
from trainables.measures.neighbour_kl import NeighbourKL
from trainables.settings import Invalid, Use

RIGHT = np.full((10_000, 10), 0.1)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def array(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def test_the_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "h.npy", array(RIGHT))
    assert tuple(human_labels(path).shape) == (10_000, 10)
    human_labels(written(tmp_path / "rounded.npy", array(1.0005 * RIGHT)))
    HumanKL.verify(tmp_path, file="h.npy", only_correct=True)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (array(RIGHT[:9]), r"must hold an array of shape \(10000, 10\), holds \(9, 10\)"),
        (array(RIGHT.T), r"must hold an array of shape \(10000, 10\), holds \(10, 10000\)"),
        (array(2 * RIGHT), "must hold a distribution in each row"),
        (array(1.01 * RIGHT), "must hold a distribution in each row"),
        (array(np.where(np.arange(10) < 1, -0.1, 1.1 / 9) + 0 * RIGHT), "must hold a distribution"),
        (array(np.array([object()])), "must be a NumPy array file"),
        (array(np.full((10_000, 10), "0.1")), "must hold numbers, holds <U3"),
        (b"PK\x03\x04 no archive", "must be a NumPy array file"),
        (b"no array", "must be a NumPy array file"),
        (b"", "must be a NumPy array file"),
    ],
)
def test_another_file_is_refused_in_one_line(content: bytes, error: str, tmp_path: Path) -> None:
    path = written(tmp_path / "h.npy", content)
    with pytest.raises(Invalid, match=error) as raised:
        HumanKL.verify(tmp_path, file="h.npy", only_correct=True)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_measure_is_of_what_is_predicted_correctly_unless_all_is_wanted(
    tmp_path: Path,
) -> None:
    # People say 1/10 of each class. The model does so of the first half, whose label it gets right;
    # of the other it says 11/20 of class 0 and 1/20 of each other one.
    written(tmp_path / "h.npy", array(RIGHT))
    scores = torch.zeros(10_000, 10)
    scores[5_000:, 0] = math.log(11)
    outputs = {"test.scores": scores, "test.y": torch.arange(10_000) // 5_000}
    site = SimpleNamespace(folder=tmp_path)
    finished = cast(Finished, SimpleNamespace(outputs=outputs, site=site))
    wrong = 0.1 * math.log(2 / 11) + 0.9 * math.log(2)
    assert HumanKL(file="h.npy")(finished) == {"kl": pytest.approx(0, abs=1e-6)}
    every = {"kl": pytest.approx(wrong / 2, abs=1e-6)}
    assert HumanKL(file="h.npy", only_correct=False)(finished) == every


def test_other_data_than_cifar_10_are_refused() -> None:
    with pytest.raises(Invalid, match=r"HumanKL: data.source = Digits: must be Cifar10"):
        HumanKL.suits(TRIAL, file="h.npy", only_correct=True)


def test_the_demo_has_a_stand_in_that_says_so() -> None:
    stand_in = Use(HumanKL, only_correct=False).demo()
    assert stand_in == Use(NeighbourKL, only_correct=False)
    assert flat(stand_in)["instead of"].startswith("human labels")
    assert "NO human labels" in str(NeighbourKL.__doc__)
