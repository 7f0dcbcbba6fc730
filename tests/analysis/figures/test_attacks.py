"""Accuracy over the strength of an attack: which points a line has, and which panels there are."""

from dataclasses import replace

import numpy as np
import pytest
from pandas import DataFrame

from analysis.figures.attacks import attack_curves
from analysis.figures.draw import draw
from analysis.plan import Metric
from tests.analysis.worlds import World

COLUMNS = {
    "clean": Metric("test.accuracy", "%", 100.0),
    "CIFAR-10, FGSM, eps 0.1": Metric("accuracy at 0.1", "%", 100.0),
    "CIFAR-10, FGSM, mean": Metric("accuracy", "%", 100.0),
}


@pytest.fixture
def attacked(world: World) -> World:
    cells = [
        replace(cell, column=column, measure="" if column == "clean" else "LabelAttack-1")
        for column in COLUMNS
        for cell in world.plan.cells
    ]
    return world.planned(columns=COLUMNS, cells=tuple(cells))


def measured(world: World) -> DataFrame:
    runs = world.runs()
    runs["LabelAttack-1/accuracy at 0"] = 1.0
    runs["LabelAttack-1/accuracy at 0.3"] = 0.25
    runs["LabelAttack-1/accuracy at 0.05"] = [0.5 + 0.01 * i for i in range(len(runs))]
    runs["LabelAttack-1/accuracy"] = 0.4
    runs["Other-2/accuracy at 0.2"] = 0.1
    return runs


def test_a_row_is_a_line_over_all_strengths_that_were_measured(attacked: World) -> None:
    figure = attack_curves(attacked.plan, measured(attacked), "last")
    assert figure
    ax, empty = figure.axes
    assert ax.get_title(loc="left") == "CIFAR-10, FGSM"
    assert not empty.axison
    first = np.asarray(ax.get_lines()[0].get_xydata())
    assert first[:, 0].tolist() == [0, 0.05, 0.3]
    assert first[[0, 2], 1].tolist() == [100, 25]
    seeds = [i for i, trial in enumerate(attacked.runs().index) if str(trial).startswith("a")]
    assert first[1, 1] == pytest.approx(np.mean([50 + i for i in seeds]))


def test_without_an_attack_there_is_no_figure(attacked: World, world: World) -> None:
    assert attack_curves(attacked.plan, attacked.runs(), "last") is None
    assert attack_curves(world.plan, measured(attacked), "last") is None
    shown = attacked.plan, measured(attacked), attacked.histories(), {}, {}, {}, "last"
    assert "attack_curves" in draw(*shown)
