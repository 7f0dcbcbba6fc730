import math
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.text import Text
from pandas import DataFrame

from analysis.figures.soft_labels import soft_labels, soft_labels_over_training
from tests.analysis.worlds import World


def line_titles(figure: Figure) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes if not ax.axison]


def test_each_distinct_matrix_is_shown_once_with_its_entropy_and_mass(world: World) -> None:
    figure = soft_labels(world.plan, world.soft())
    assert figure
    axes = [ax for ax in figure.axes if ax.axison]
    assert line_titles(figure) == [
        "Knowledge: decay 0.5, temperature 2, hierarchy strokes",
        "Knowledge: decay 0.5, temperature 5, hierarchy strokes",
    ]
    entropy = -(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1))
    assert [bar.get_width() for bar in axes[1].patches] == pytest.approx([entropy] * 3)
    assert [bar.get_width() for bar in axes[2].patches] == pytest.approx([0.6] * 3)
    sharp = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))  # a zero adds nothing
    assert [bar.get_width() for bar in axes[4].patches] == pytest.approx([sharp] * 3)


def test_the_mass_of_the_true_class_need_not_be_the_largest(world: World) -> None:
    figure = soft_labels(world.plan, {"b0": DataFrame([[0.2, 0.8], [0.7, 0.3]])})
    assert figure
    axes = [ax for ax in figure.axes if ax.axison]
    assert [bar.get_width() for bar in axes[2].patches] == pytest.approx([0.2, 0.3])


def test_matrices_of_equal_settings_are_all_shown_and_named_by_their_cells(world: World) -> None:
    """As with wrong labels: one row, a column for each rate, and a matrix learned in each cell."""
    learned = world.plan.cells[1]
    assert learned.trials
    ids = [str(i) for i in range(3)]
    plan = replace(
        world.plan,
        columns=dict.fromkeys(ids, world.plan.columns["accuracy"]),
        cells=tuple(replace(learned, column=i, trials={"0": i}) for i in ids),
    )
    soft = {i: DataFrame(np.eye(3) * (1 - 0.1 * int(i)) + 0.01) for i in ids}
    figure = soft_labels(plan, soft)
    assert figure
    settings = "Knowledge: decay 0.5, temperature 2, hierarchy strokes"
    assert line_titles(figure) == [f"{settings} ({learned.row}, {i})" for i in ids]


def test_over_training_a_row_has_one_heat_map_an_epoch_on_one_scale(world: World) -> None:
    first, second = (
        next(iter(cell.trials.values())) for cell in world.plan.cells[:2] if cell.trials
    )
    assert first
    assert second
    early, late = (DataFrame(np.full((3, 3), value)) for value in (1 / 3, 0.5))
    figure = soft_labels_over_training(world.plan, {first: {2: early, 4: late}, second: {}})
    assert figure
    maps = [ax for ax in figure.axes if ax.images]
    assert [ax.get_xlabel() for ax in maps] == ["epoch 2", "epoch 4"]
    assert line_titles(figure) == ["only CE"]
    norms = [ax.images[0].norm for ax in maps]
    assert all(isinstance(norm, PowerNorm) and norm.vmax == 0.5 for norm in norms)


def test_many_rows_with_long_names_over_training_stand_apart(world: World) -> None:
    name = "a row with quite a long name, as in a table of data sets and nets"
    cells = [
        replace(world.plan.cells[0], row=f"{name}, {i}", trials={"0": str(i)}) for i in range(11)
    ]
    plan = replace(world.plan, cells=tuple(cells))
    frame = DataFrame(np.full((3, 3), 1 / 3))
    over = {str(i): dict.fromkeys(range(1, 6), frame) for i in range(11)}
    figure = soft_labels_over_training(plan, over)
    assert figure
    figure.canvas.draw()
    maps = [ax for ax in figure.axes if ax.images]
    assert len(maps) == 55
    assert min(ax.get_window_extent().height / figure.dpi for ax in maps) > 1.2
    assert min(ax.bbox.y0 for ax in maps) > figure.axes[-1].bbox.y1  # the colour bar
    said = re.compile(f"{name}|epoch|probability|A small ablation")
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    boxes = [text.get_window_extent() for text in texts if said.match(text.get_text())]
    assert len(boxes) == 11 + 55 + 2
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    assert all(figure.bbox.containsx(box.x1) and figure.bbox.containsy(box.y0) for box in boxes)


def test_a_line_over_training_has_its_column_where_the_row_has_several_trials(
    world: World,
) -> None:
    metric = world.plan.columns["accuracy"]
    first, second = world.plan.cells[:2]
    cells = (
        replace(first, column="clean", trials={"0": "x"}),
        replace(first, column="PGD", trials={"0": "x"}),
        replace(second, column="clean", trials={"0": "y"}),
        replace(second, column="PGD", trials={"0": "z"}),
    )
    plan = replace(world.plan, columns=dict.fromkeys(("clean", "PGD"), metric), cells=cells)
    frame = DataFrame(np.eye(3))
    figure = soft_labels_over_training(plan, {i: {1: frame} for i in "xyz"})
    assert figure
    assert line_titles(figure) == ["only CE", f"{second.row}, clean", f"{second.row}, PGD"]


def test_without_learned_soft_labels_there_is_no_figure(world: World) -> None:
    assert soft_labels_over_training(world.plan, {}) is None
