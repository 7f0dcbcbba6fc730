from dataclasses import replace

import pytest
from pandas import DataFrame

from analysis.figures.draw import draw
from analysis.figures.feature_maps import feature_maps
from analysis.plan import Metric
from tests.analysis.worlds import World


def frame(names: list[str], x: float = 0.0) -> DataFrame:
    return DataFrame({"x": [x + i for i in range(len(names))], "y": 1.0, "label": names})


@pytest.fixture
def measured(world: World) -> World:
    """Each row in a second column, too, whose number a measure gives."""
    cells = [replace(cell, column="silhouette", measure="S-1") for cell in world.plan.cells]
    columns = {**world.plan.columns, "silhouette": Metric("silhouette", "")}
    return world.planned(columns=columns, cells=(*world.plan.cells, *cells))


def test_a_row_has_one_panel_of_its_first_seed_that_has_features(measured: World) -> None:
    maps = {
        ("a0", "S-1"): frame(["zero", "one", "zero"]),
        ("b1", "S-1"): frame(["zero", "one"], 5.0),
        ("b2", "S-1"): frame(["zero", "one"], 9.0),
        ("d0", "another measure"): frame(["zero"]),
    }
    figure = feature_maps(measured.plan, maps)
    assert figure
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["only CE", "T 2, beta 1"]
    dots = [[dots.get_offsets().tolist() for dots in ax.collections] for ax in figure.axes]
    assert dots == [[[[0, 1], [2, 1]], [[1, 1]]], [[[5, 1]], [[6, 1]]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["zero", "one"]


@pytest.mark.parametrize(("classes", "drawn"), [(20, 20), (21, 10)])
def test_of_too_many_classes_the_first_ten_are_drawn(
    classes: int, drawn: int, measured: World
) -> None:
    names = [f"class {i}" for i in range(classes)]
    figure = feature_maps(measured.plan, {("a0", "S-1"): frame(names)})
    assert figure
    dots = figure.axes[0].collections
    assert [one.get_label() for one in dots] == names[:drawn]
    looks = {(one.get_facecolor().tobytes(), one.get_paths()[0].vertices.tobytes()) for one in dots}
    assert len(looks) == drawn


def test_it_is_among_the_figures_only_where_features_are_kept(measured: World) -> None:
    shown = measured.plan, measured.runs(), measured.histories(), {}, {}
    maps = {("a0", "S-1"): frame(["zero"])}
    assert "feature_maps" in draw(*shown, maps, "last")
    assert "feature_maps" not in draw(*shown, {}, "last")
