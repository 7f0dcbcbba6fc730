"""Every grid: its published numbers, its demo, and the text of all its trials."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from study.grid import Grid, Scale, find, grids
from tests.study.golden import FOLDER, golden
from trainables.measures.measure import label
from trainables.selection import RULES

with (Path(__file__).parent / "published.csv").open() as file:
    PUBLISHED = list(csv.DictReader(file))


@pytest.mark.parametrize("name", grids())
def test_a_grid_is_what_its_golden_file_says(name: str) -> None:
    """Where this is meant: `python -m tests.study.golden`, and PROTOCOL if numerics changed."""
    assert golden(name) == (FOLDER / f"{name}.txt").read_text()


Number = tuple[float, float | None]  # and its deviation
UNPRINTED = ("fig", "single", "table11")  # tables of which no number is printed, or is lost


def printed(grid: Grid) -> list[tuple[str, tuple[str, ...], Number]]:
    """Of each number of the paper's table: the method, the place (data, setting, ...), itself."""
    lines = [r for r in PUBLISHED if (r["paper"], r["table"]) == (grid.paper, grid.table)]
    return [
        (
            r["method"],
            (r["dataset"], r["setting"], r["backbone"], r["metric"]),
            (float(r["value"]), float(r["std"]) if r["std"] else None),
        )
        for r in lines
    ]


def typed(grid: Grid) -> list[tuple[str, str, Number]]:
    """Of each number of the grid: row, column, itself."""
    return [
        (row, column, (number, None) if isinstance(number, float) else number)
        for row, column, _, number in grid.cells()
        if number is not None
    ]


@pytest.mark.parametrize("name", grids())
def test_every_published_number_of_the_table_has_a_cell(name: str) -> None:
    grid = find(name)
    assert printed(grid) or grid.table.startswith(UNPRINTED)
    numbers = Counter(number for *_, number in printed(grid))
    assert not numbers - Counter(number for *_, number in typed(grid))


@pytest.mark.parametrize("name", grids())
def test_no_cell_has_a_number_that_is_not_published(name: str) -> None:
    grid = find(name)
    assert {number for *_, number in typed(grid)} <= {number for *_, number in printed(grid)}


@pytest.mark.parametrize("name", [n for n in grids() if n.startswith("ols") and typed(find(n))])
def test_the_numbers_of_a_column_are_those_of_one_place_for_each_method(name: str) -> None:
    grid = find(name)
    places = {place for _, place, _ in printed(grid)}
    for column in grid.columns:
        numbers = {(row, number) for row, other, number in typed(grid) if other == column}
        assert any(
            numbers <= {(m, number) for m, place, number in printed(grid) if place == one}
            for one in places
        )


@pytest.mark.parametrize("name", grids())
def test_the_demo_keeps_apart_what_the_table_varies(name: str) -> None:
    grid = find(name)
    distinct = {
        scale: len({trial for _, _, trial, _ in grid.at(scale) if trial})
        for scale in ("demo", "paper")
    }
    assert distinct["demo"] == distinct["paper"]


@pytest.mark.parametrize("name", grids())
@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_measures_suit_their_trials_and_stay_apart_at_demo_scale(name: str, scale: Scale) -> None:
    grid = find(name)
    measures = grid.measures(scale)
    trials = {(row, column): trial for row, column, trial, _ in grid.at(scale)}
    for place, use in measures.items():
        use.part.suits(trials[place], **dict(use.items))
    assert len(set(measures.values())) == len(set(grid.measures("paper").values()))


@pytest.mark.parametrize("name", grids())
def test_the_demo_needs_no_files(name: str) -> None:
    for measure in find(name).measures("demo").values():
        assert label(measure.resolved(Path("/nowhere")))
    for _, _, trial, _ in find(name).at("demo"):
        assert trial is None or trial.resolved(Path("/nowhere"), {}).id


@pytest.mark.parametrize("name", grids())
def test_baseline_and_selection_rule_exist(name: str) -> None:
    grid = find(name)
    assert grid.baseline in grid.rows or grid.baseline in grid.columns
    assert grid.selection in RULES
