"""GridMask: its lines by hand, and against a slow transcription of the authors' drawing."""

import math

import pytest
import torch
from torch import Tensor

from trainables.data.augments.grid_mask import GridMask, bands
from trainables.seeding import generator
from trainables.settings import Invalid, Use


def lines(side: int, unit: int, offset: tuple[int, int], degrees: float, ratio: float) -> Tensor:
    angle = torch.tensor([math.radians(degrees)])
    return bands(side, torch.tensor([unit]), torch.tensor([offset]), angle, ratio)[0]


def test_lines_by_hand() -> None:
    found = lines(6, 3, (1, 0), 0, 1 / 3)
    rows = found.all(1).nonzero()[:, 0].tolist()
    columns = found.all(0).nonzero()[:, 0].tolist()
    assert (rows, columns) == ([1, 4], [0, 3])
    assert int(found.sum()) == 4 * 6 - 4


def drawn(side: int, unit: int, offset: tuple[int, int], ratio: float) -> Tensor:
    """Line by line, as the authors do it."""
    mask = torch.zeros(side, side, dtype=torch.bool)
    wide = int(unit * ratio + 0.5)
    for start in range(-unit, side + unit, unit):
        for place in range(start, start + wide):
            if 0 <= place + offset[0] < side:
                mask[place + offset[0]] = True
            if 0 <= place + offset[1] < side:
                mask[:, place + offset[1]] = True
    return mask


@pytest.mark.parametrize("unit", [3, 7, 24, 31])
@pytest.mark.parametrize("ratio", [0.2, 0.4, 0.6])
def test_unturned_they_are_those_of_a_slow_transcription(unit: int, ratio: float) -> None:
    offset = (unit // 2, unit - 1)
    assert lines(32, unit, offset, 0, ratio).equal(drawn(32, unit, offset, ratio))


def test_turned_by_a_quarter_rows_become_columns() -> None:
    assert lines(9, 4, (0, 0), 90, 0.25).equal(torch.rot90(lines(9, 4, (0, 0), 0, 0.25), -1))


def test_turned_they_hide_about_as_much() -> None:
    for degrees in (10, 45, 200):
        share = float(lines(96, 12, (3, 5), degrees, 0.5).float().mean())
        assert share == pytest.approx(0.75, abs=0.05)


def masked(progress: float = 1.0, n: int = 1000, **settings: object) -> Tensor:
    mask: GridMask = Use(GridMask, **settings).build()
    return mask.at(progress)(torch.ones(n, 2, 32, 32), 32, generator(0, "test"))


def test_the_squares_or_the_lines_are_hidden_in_every_channel() -> None:
    fixed = {"unit": (8, 9), "rotation": 1, "probability": 1, "ratio": 0.5}
    squares, others = masked(**fixed), masked(**fixed, hide="lines")
    assert (squares + others == 1).all()
    assert (squares[:, 0] == squares[:, 1]).all()
    assert float(squares.mean()) == pytest.approx(0.75)


def test_the_probability_rises_with_the_training() -> None:
    def share(progress: float, rise: float = 1.0) -> float:
        return float((masked(progress, rise=rise) == 0).flatten(1).any(1).float().mean())

    assert share(0) == 0
    assert share(0.5) == pytest.approx(0.4, abs=0.05)
    assert share(1) == pytest.approx(0.8, abs=0.05)
    assert share(0.5, rise=0.5) == share(1)


def test_the_same_chance_hides_the_same() -> None:
    assert masked(n=5).equal(masked(n=5))


def test_its_defaults_are_those_of_the_cifar_runs() -> None:
    use = Use(GridMask)
    assert (use["unit"], use["ratio"], use["rotation"], use["probability"]) == (
        (24, 32),
        0.4,
        360,
        0.8,
    )
    assert use.demo()["unit"] == (6, 8)


def test_a_unit_without_a_range_is_refused() -> None:
    with pytest.raises(Invalid, match=r"GridMask.unit = \(8, 8\): must have the lower end first"):
        Use(GridMask, unit=(8, 8))
