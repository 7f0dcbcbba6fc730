"""The tables on word embeddings: each number at what is run there."""

import pytest

from analysis.plan import Metric
from study.grids.grid import find, grids
from tests.study.grids.published import WORD_SETS, printed, typed
from trainables.trial import Trial

Place = tuple[str, str, str, str]  # dataset, setting, backbone and metric in published.csv


def word_place(trial: Trial, metric: Metric) -> Place:
    """Of a cell of the word embedding tables, what it really shows."""
    tail, per_class = trial.data.imbalance, trial.data.train_per_class
    setting = f"imbalance={tail['rho']:g}" if tail else f"per_class={per_class}"
    dataset = next(name for name, part in WORD_SETS.items() if part == trial.data.source.name)
    net = trial.net.name.replace("ResNet", "ResNet-").replace("VGG", "VGG-")
    return dataset, setting, net, metric.name.removeprefix("test.")


@pytest.mark.parametrize("name", [n for n in grids() if n.startswith("word") and typed(find(n))])
def test_every_word_cell_has_the_number_of_its_method_and_of_what_is_run(name: str) -> None:
    grid = find(name)
    published = {(method, place): number for method, place, number in printed(grid)}
    cells = [
        (row, trial, grid.columns[column], number) for row, column, trial, number in grid.cells()
    ]
    shown = {
        (row, word_place(trial, metric)): (number, None) if isinstance(number, float) else number
        for row, trial, metric, number in cells
        if trial
    }
    assert len(shown) == len(cells)
    assert shown == published
