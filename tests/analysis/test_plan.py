"""A study laid out as plain data, and the part of it that is asked for."""

import pytest

from analysis.plan import Cell, Metric, Plan
from tests.analysis.worlds import cell, small_world


def plan() -> Plan:
    cells: tuple[Cell, ...] = (
        cell("only CE", {"0": "a0", "1": "a1", "2": "a2"}, 85.8, {}),
        cell("T 2", {"0": "b0", "1": "b1", "2": "b2"}, 86.7, {}),
        cell("T 5", {"0": "c0", "1": "c1", "2": "c2"}, 86.2, {}),
    )
    return small_world().planned(cells=cells, baseline="only CE").plan


def test_nothing_asked_for_is_the_whole_plan() -> None:
    assert plan().of() == plan()


def test_of_some_rows_the_baseline_stays_for_their_gains() -> None:
    assert plan().of(("T 5",)).rows() == ["only CE", "T 5"]
    assert plan().of(("only CE",)).rows() == ["only CE"]


def test_of_some_seeds_the_first_ones_stay() -> None:
    assert plan().of(seeds=2).trials() == ["a0", "a1", "b0", "b1", "c0", "c1"]
    assert plan().of(("T 2",), 1).trials() == ["a0", "b0"]


def test_a_tuned_row_goes_with_the_row_that_it_tunes() -> None:
    tuned = Cell(
        row="tuned: T 2",
        column=plan().cells[0].column,
        trials={"0": "d0"},
        published=None,
        settings={},
        tunes=("T 2",),
    )
    wider = small_world().planned(cells=(*plan().cells, tuned), baseline="only CE").plan
    assert wider.of(("T 2",)).rows() == ["only CE", "T 2", "tuned: T 2"]
    assert "tuned: T 2" not in wider.of(("T 5",)).rows()


@pytest.mark.parametrize(
    ("name", "factor", "words"),
    [
        ("test.accuracy", 100, "test accuracy"),
        ("test.accuracy", -100, "test error"),
        ("accuracy at 0.1", 100, "accuracy at 0.1"),
    ],
)
def test_a_metric_is_called_by_its_name_and_numbers_keep_their_point(
    name: str, factor: int, words: str
) -> None:
    assert Metric(name, "%", factor).words == words
