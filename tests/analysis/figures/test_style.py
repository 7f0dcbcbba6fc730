"""What all figures share."""

from analysis.figures.style import distinct
from tests.analysis.worlds import cell


def test_cells_of_the_same_trials_are_one_at_the_first_ones_place() -> None:
    ids = {"a": "1", "b": "2", "a again": "1", "not run": None, "c": "3"}
    cells = [cell(row, {"0": i} if i else {}, None, {}) for row, i in ids.items()]
    assert [one.row for one in distinct(cells)] == ["a", "b", "c"]
