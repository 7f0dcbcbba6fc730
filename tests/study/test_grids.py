"""Every grid: its published numbers, its demo, and the text of all its trials."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from study.grid import Scale, find, grids
from tests.study.golden import FOLDER, golden
from trainables.measures.measure import label
from trainables.selection import RULES

with (Path(__file__).parent / "published.csv").open() as file:
    PUBLISHED = list(csv.DictReader(file))


@pytest.mark.parametrize("name", grids())
def test_a_grid_is_what_its_golden_file_says(name: str) -> None:
    """Where this is meant: `python -m tests.study.golden`, and PROTOCOL if numerics changed."""
    assert golden(name) == (FOLDER / f"{name}.txt").read_text()


UNPRINTED = ("fig", "single", "table11")  # tables of which no number is printed, or is lost


@pytest.mark.parametrize("name", grids())
def test_every_published_number_of_the_table_has_a_cell(name: str) -> None:
    grid = find(name)
    printed = [r for r in PUBLISHED if (r["paper"], r["table"]) == (grid.paper, grid.table)]
    numbers = Counter(float(row["value"]) for row in printed)
    typed = Counter(p if isinstance(p, float) else p[0] for *_, p in grid.cells() if p is not None)
    assert printed or grid.table.startswith(UNPRINTED)
    assert not numbers - typed


@pytest.mark.parametrize("name", grids())
def test_no_cell_has_a_number_that_is_not_published(name: str) -> None:
    grid = find(name)
    printed = {
        float(r["value"]) for r in PUBLISHED if (r["paper"], r["table"]) == (grid.paper, grid.table)
    }
    typed = {p if isinstance(p, float) else p[0] for *_, p in grid.cells() if p is not None}
    assert typed <= printed


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
