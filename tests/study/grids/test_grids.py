"""Every grid: its published numbers, its demo, and the text of all its trials."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from analysis.plan import Scale
from study.grids.grid import Inferred, Published, find, grids
from tests.study.golden import FOLDER, golden
from tests.study.grids.published import PUBLISHED, printed, typed
from tests.study.grids.unprinted import UNPRINTED
from trainables.measures.measure import label
from trainables.selection import RULES
from trainables.trial import Trial


@cache
def cells(name: str, scale: Scale) -> list[tuple[str, str, Trial | None, Published]]:
    return list(find(name).at(scale))


@pytest.mark.parametrize("name", grids())
def test_a_grid_is_what_its_golden_file_says(name: str) -> None:
    """Where this is meant: `python -m tests.study.golden`, and PROTOCOL if numerics changed."""
    assert golden(name) == (FOLDER / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", grids())
def test_every_published_number_of_the_table_has_a_cell(name: str) -> None:
    grid = find(name)
    assert bool(printed(grid)) != (name in UNPRINTED)
    numbers = Counter(number for *_, number in printed(grid))
    assert not numbers - Counter(number for *_, number in typed(grid))


@pytest.mark.parametrize(("name", "expected"), UNPRINTED.items())
def test_a_table_without_numbers_has_its_rows_and_columns(
    name: str, expected: tuple[list[str], list[str]]
) -> None:
    typed_in = [(row, column) for row, column, trial, _ in find(name).cells() if trial]
    rows, columns = expected
    every = [(row, column) for row in rows for column in columns]
    # Categories have no Huber loss.
    assert typed_in == [c for c in every if c[0] != "Category" or "Huber" not in c[1]]
    assert all(number is None for *_, number in find(name).cells())


@pytest.mark.parametrize("name", grids())
def test_numbers_whose_column_was_inferred_are_known_as_such(name: str) -> None:
    grid = find(name)
    own = [r for r in PUBLISHED if (r["paper"], r["table"]) == (grid.paper, grid.table)]
    noted = Counter((r["method"], float(r["value"])) for r in own if "inferred" in r["note"])
    assert noted == Counter(
        (row, float(number)) for row, *_, number in grid.cells() if isinstance(number, Inferred)
    )


@pytest.mark.parametrize("name", grids())
def test_no_cell_has_a_number_that_is_not_published(name: str) -> None:
    grid = find(name)
    assert {number for *_, number in typed(grid)} <= {number for *_, number in printed(grid)}


@pytest.mark.parametrize("name", grids())
def test_the_demo_keeps_apart_what_the_table_varies(name: str) -> None:
    scales: tuple[Scale, ...] = ("demo", "paper")
    demo, paper = ({t for _, _, t, _ in cells(name, scale) if t} for scale in scales)
    assert len(demo) == len(paper)


@pytest.mark.parametrize("name", grids())
@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_measures_suit_their_trials_and_stay_apart_at_demo_scale(name: str, scale: Scale) -> None:
    grid = find(name)
    measures = grid.measures(scale)
    trials = {(row, column): trial for row, column, trial, _ in cells(name, scale)}
    for place, use in measures.items():
        use.part.suits(trials[place], **dict(use.items))
    assert len(set(measures.values())) == len(set(grid.measures("paper").values()))


@pytest.mark.parametrize("name", grids())
def test_the_demo_needs_no_files(name: str) -> None:
    if find(name).demo is None:  # of images that only a user has
        return
    for measure in find(name).measures("demo").values():
        assert label(measure.resolved(Path("/nowhere")))
    for _, _, trial, _ in cells(name, "demo"):
        assert trial is None or trial.resolved(Path("/nowhere"), {}).id


@pytest.mark.parametrize("name", grids())
def test_baseline_and_selection_rule_exist(name: str) -> None:
    grid = find(name)
    assert grid.baseline in grid.rows or grid.baseline in grid.columns
    assert grid.selection in RULES
