"""Figures of advisor networks: numbers by hand, and what each panel shows."""

from dataclasses import replace

import numpy as np
import pytest
from pandas import DataFrame

from analysis.figures.advice import feature_weights, misfit, softmax_weights, weights_of_images
from analysis.figures.draw import draw
from tests.analysis.worlds import World


def weights(advisor: list[float]) -> DataFrame:
    """Sizes 11, 6 and 1: scaled 1, 0.5 and 0."""
    return DataFrame(
        {"images": [11, 6, 1], "advisor": advisor, "step": [1, 1, 0], "gompertz": [1, 0.5, 0.3]}
    )


def images(wrong: int, classes: int = 3, each: int = 30) -> DataFrame:
    """W_f of three features; the first `wrong` images of each class are given the next one."""
    rows = [
        {
            "given": f"class {(c + 1) % classes if i < wrong else c}",
            "clean": f"class {c}",
            **{f"w{j}": ((7 * i + 3 * c + j) % 11) / 11 for j in range(3)},
        }
        for c in range(classes)
        for i in range(each)
    ]
    return DataFrame(rows)


def test_the_misfit_is_the_mean_distance_to_the_scaled_sizes() -> None:
    table = weights([0.7, 0.5, 0.6])
    assert misfit(table, "advisor") == pytest.approx((0.3 + 0 + 0.6) / 3)
    assert misfit(table, "step") == pytest.approx(0.5 / 3)
    assert misfit(table, "gompertz") == pytest.approx(0.1)


def test_a_row_is_a_line_over_the_epochs_beside_both_functions(world: World) -> None:
    told = {
        "b1": {
            ("softmax_weights", 4): weights([1, 0.5, 0.3]),
            ("softmax_weights", 2): weights([1, 1, 1]),
            ("softmax_weights", None): weights([0, 0, 0]),
        }
    }
    figure = softmax_weights(world.plan, told)
    assert figure
    (ax,) = figure.axes
    line, step, gompertz = ax.get_lines()
    assert np.asarray(line.get_xydata()) == pytest.approx(np.array([[2, 0.5], [4, 0.1]]))
    assert list(step.get_ydata()) == pytest.approx([0.5 / 3] * 2)
    assert list(gompertz.get_ydata()) == pytest.approx([0.1] * 2)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["T 2, beta 1", "threshold", "Gompertz decay"]


def test_wrong_labels_are_told_apart_where_there_are_some_else_classes(world: World) -> None:
    plan = world.plan
    for wrong, expected in ((10, ["right label", "wrong label"]), (0, ["class 0", "class 1"])):
        table = images(wrong, classes=2)
        figures = feature_weights(plan, {"b0": {("feature_weights", None): table}})
        assert list(figures) == ["T 2, beta 1"]
        pca, tsne = (ax for ax in figures["T 2, beta 1"].axes if ax.axison)
        assert [dots.get_label() for dots in pca.collections] == expected
        assert sum(len(dots.get_offsets()) for dots in pca.collections) == 60
        assert [ax.get_title(loc="left").split("\n")[1] for ax in (pca, tsne)] == ["PCA", "t-SNE"]


def test_with_many_classes_colours_are_of_their_order(world: World) -> None:
    table = images(0, classes=20, each=3)
    figure = feature_weights(world.plan, {"b0": {("feature_weights", None): table}})["T 2, beta 1"]
    pca = figure.axes[0]
    assert len(pca.collections) == 1
    assert not figure.legends


def test_24_images_of_the_first_and_last_class_are_shown_one_by_one(world: World) -> None:
    told = {"b0": {("feature_weights", None): images(2)}}
    figure = weights_of_images(world.plan, told)
    assert figure
    first, last = figure.axes[:2]
    assert [ax.images[0].get_array().shape for ax in (first, last)] == [(24, 3), (24, 3)]
    assert first.get_title(loc="left").endswith(": class 0")
    assert last.get_title(loc="left").endswith(": class 2")
    colours = [line.get_color() for line in first.get_lines()]
    assert colours[0] == colours[1] != colours[2]
    assert len(set(colours[2:])) == 1


def test_the_largest_class_stands_beside_the_smallest(world: World) -> None:
    table = images(0).iloc[5:80]  # 25 of class 0, 30 of class 1, 20 of class 2
    figure = weights_of_images(world.plan, {"b0": {("feature_weights", None): table}})
    assert figure
    titles = [ax.get_title(loc="left").rpartition(": ")[2] for ax in figure.axes[:2]]
    assert titles == ["class 1", "class 2"]


def test_without_tables_nothing_is_drawn(world: World) -> None:
    assert softmax_weights(world.plan, {}) is None
    assert weights_of_images(world.plan, {}) is None
    assert feature_weights(world.plan, {}) == {}


def test_they_are_among_the_figures_where_a_method_told_of_itself(world: World) -> None:
    shown = world.plan, world.runs(), world.histories(), {}, {}, {}, "last"
    told = {"b0": {("feature_weights", None): images(2)}}
    added = set(draw(*shown, told)) - set(draw(*shown))
    assert added == {"weights_of_images", "feature_weights_t_2_beta_1"}


def test_a_column_is_a_panel(world: World) -> None:
    cells = [replace(cell, column="other") for cell in world.plan.cells]
    columns = {**world.plan.columns, "other": world.plan.columns["accuracy"]}
    both = world.planned(columns=columns, cells=(*world.plan.cells, *cells))
    figure = softmax_weights(both.plan, {"b1": {("softmax_weights", 1): weights([1, 1, 1])}})
    assert figure
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["accuracy", "other"]
