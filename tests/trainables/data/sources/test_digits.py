from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from trainables.data.sources.digits import Digits
from trainables.settings import Invalid, Use

HERE = Path()


def load(part: str, turn: int = 0) -> tuple[Tensor, Tensor]:
    return Digits(turn=turn).load(HERE, part)


def test_the_parts_have_as_many_images_as_is_said_without_loading_them() -> None:
    for part, count in (("train", Digits.images), ("test", Digits.test_images)):
        x, y = load(part)
        assert x.shape == (count, Digits.channels, Digits.side, Digits.side)
        assert x.dtype == torch.uint8
        assert y.shape == (count,)
        assert set(y.tolist()) == set(range(Digits.classes))
    assert len(Digits().names(HERE)) == Digits.classes


def test_training_and_test_images_together_are_all_digits_once() -> None:
    x = torch.cat([load("train")[0], load("test")[0]]).flatten(1)
    every = torch.from_numpy(load_digits().data) * 255 / 16
    assert sorted(x.tolist()) == sorted(every.round().to(torch.uint8).tolist())


def test_the_test_set_never_changes() -> None:
    assert load("test")[1][:12].tolist() == [4, 3, 2, 8, 1, 1, 2, 7, 3, 1, 9, 6]


def test_the_sixteen_turns_are_sixteen_data_sets_of_the_same_images_and_labels() -> None:
    x, y = load("test")
    variants = [load("test", turn) for turn in range(16)]
    assert len({tuple(v.flatten().tolist()) for v, _ in variants}) == 16
    for turn, (turned, labels) in enumerate(variants):
        back = turned.rot90(-(turn % 4), (2, 3))
        back = back.flip(3) if turn % 8 >= 4 else back
        assert torch.equal(255 - back if turn >= 8 else back, x)
        assert torch.equal(labels, y)


def test_pixels_have_the_mean_and_deviation_that_are_taken_out() -> None:
    x = torch.cat([load("train")[0], load("test")[0]]) / 255
    (mean,), (std,) = Digits.normalisation
    assert float(x.mean()) == pytest.approx(mean, abs=5e-4)
    assert float(x.std()) == pytest.approx(std, abs=5e-4)


def test_a_seventeenth_turn_is_refused() -> None:
    with pytest.raises(Invalid, match=r"Digits.turn = 16: must lie in \[0, 15\]"):
        Use(Digits, turn=16)


def test_the_digits_are_their_own_counterpart() -> None:
    assert Use(Digits, turn=5).demo() == Use(Digits, turn=5)


def test_dark_on_bright_the_mean_is_what_is_left() -> None:
    (mean,), (std,) = Use(Digits, turn=8).build().normalisation
    assert (mean, std) == (pytest.approx(1 - 0.305), 0.376)
