"""Pictures of labels: matrices as they are, vectors as bars."""

from dataclasses import replace

import numpy as np
import pytest
from pandas import DataFrame

from analysis.figures.draw import draw
from analysis.figures.label_pictures import label_pictures
from analysis.plan import Metric
from tests.analysis.worlds import World


def labels(shape: tuple[int, int], classes: int) -> DataFrame:
    height, width = shape
    numbers = np.arange(classes * height * width, dtype=float).reshape(classes, -1)
    frame = DataFrame(numbers)
    frame.insert(0, "label", [f"class {c}" for c in range(classes)])
    frame.insert(1, "height", height)
    frame.insert(2, "width", width)
    return frame


@pytest.fixture
def measured(world: World) -> World:
    cells = [replace(cell, column="entropy", measure="L-1") for cell in world.plan.cells]
    return world.planned(columns={"entropy": Metric("entropy", "")}, cells=tuple(cells))


def test_a_row_is_a_line_of_its_first_classes(measured: World) -> None:
    kept = {("a0", "L-1"): labels((2, 3), 12), ("b1", "L-1"): labels((1, 8), 2)}
    figure = label_pictures(measured.plan, kept)
    assert figure
    pictures = [np.asarray(ax.images[0].get_array()) for ax in figure.axes if ax.images]
    assert len(pictures) == 10 + 2
    assert pictures[1].tolist() == [[6, 7, 8], [9, 10, 11]]
    assert pictures[10].tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]] * 2  # a bar
    scales = {ax.images[0].get_clim() for ax in figure.axes if ax.images}
    assert scales == {(0, 59), (0, 15)}
    titles = [t for ax in figure.axes if (t := ax.get_title(loc="left"))]
    assert titles == ["only CE", "T 2, beta 1"]


def test_it_is_among_the_figures_only_where_labels_are_kept(measured: World) -> None:
    shown = measured.plan, measured.runs(), measured.histories(), {}, {}
    assert "label_pictures" in draw(*shown, {("a0", "L-1"): labels((2, 2), 3)}, "last")
    assert label_pictures(measured.plan, {("a0", "L-1"): DataFrame({"x": [1], "y": [2]})}) is None
