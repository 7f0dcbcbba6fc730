import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import PowerNorm
from pandas import DataFrame
from worlds import World

from analysis.soft_labels import soft_labels, soft_labels_over_training


def test_each_distinct_matrix_is_shown_once_with_its_entropy_and_mass(world: World) -> None:
    figure = soft_labels(world.plan, world.soft())
    assert figure
    axes = figure.axes
    titles = [ax.get_title(loc="left") for ax in axes if ax.images]
    assert titles == [
        "Knowledge: decay 0.5, temperature 2, hierarchy strokes",
        "Knowledge: decay 0.5, temperature 5, hierarchy strokes",
    ]
    entropy = -(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1))
    assert [bar.get_width() for bar in axes[1].patches] == pytest.approx([entropy] * 3)
    assert [bar.get_width() for bar in axes[2].patches] == pytest.approx([0.6] * 3)
    sharp = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))  # a zero adds nothing
    assert [bar.get_width() for bar in axes[4].patches] == pytest.approx([sharp] * 3)


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
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.images]
    settings = "Knowledge: decay 0.5, temperature 2, hierarchy strokes"
    assert titles == [f"{settings} ({learned.row}, {i})" for i in ids]


def test_over_training_a_row_has_one_heat_map_an_epoch_on_one_scale(world: World) -> None:
    first, second = (
        next(iter(cell.trials.values())) for cell in world.plan.cells[:2] if cell.trials
    )
    assert first
    assert second
    early, late = (DataFrame(np.full((3, 3), value)) for value in (1 / 3, 0.5))
    figure = soft_labels_over_training(world.plan, {first: {2: early, 4: late}, second: {}})
    assert figure
    maps = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in maps] == ["epoch 2", "epoch 4"]
    norms = [ax.images[0].norm for ax in maps]
    assert all(isinstance(norm, PowerNorm) and norm.vmax == 0.5 for norm in norms)


def test_without_learned_soft_labels_there_is_no_figure(world: World) -> None:
    assert soft_labels_over_training(world.plan, {}) is None
