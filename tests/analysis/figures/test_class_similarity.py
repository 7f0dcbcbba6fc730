import base64
import io

import numpy as np
import pytest
from pandas import DataFrame
from PIL import Image

from analysis.figures.class_similarity import class_similarity, cosines, most_similar
from analysis.figures.draw import draw
from tests.analysis.figures.test_feature_maps import frame, measured
from tests.analysis.worlds import World

__all__ = ["measured"]  # a fixture


def picture(grey: int) -> str:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), grey, np.uint8)).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


VECTORS = DataFrame(
    {
        "label": ["cat", "dog", "car", "bus"],
        "images": [f"{picture(c)} {picture(c + 1)}" for c in (0, 50, 100, 150)],
        "0": [3.0, 1.0, 0.0, -1.0],
        "1": [0.0, 1.0, 2.0, 0.0],
    }
)


def test_cosines_by_hand() -> None:
    root = 0.5**0.5
    expected = [[1, root, 0, -1], [root, 1, root, -root], [0, root, 1, 0], [-1, -root, 0, 1]]
    assert cosines(VECTORS) == pytest.approx(np.array(expected))


def test_the_most_similar_pairs_come_first() -> None:
    found = most_similar(VECTORS)
    assert [pair[:2] for pair in found] == [(0, 1), (1, 2), (0, 2)]
    assert found[0][2] == pytest.approx(0.5**0.5)


def test_a_row_has_its_matrix_and_its_pairs_with_images(measured: World) -> None:
    figure = class_similarity(measured.plan, {("a0", "S-1"): VECTORS, ("a1", "S-1"): VECTORS})
    assert figure
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert titles[0] == "only CE"
    assert titles[2:] == ["cat and dog: 0.71", "dog and car: 0.71", "cat and car: 0.00"]
    strip = figure.axes[2].get_images()[0].get_array()
    assert strip is not None
    assert strip.shape == (4, 4 * 4 + 1, 3)


def test_each_figure_takes_its_own_of_what_measures_kept(measured: World) -> None:
    kept = {("a0", "S-1"): VECTORS, ("b0", "S-1"): frame(["zero", "one"])}
    drawn = draw(measured.plan, measured.runs(), measured.histories(), {}, {}, kept, "last")
    assert {"feature_maps", "class_similarity"} <= drawn.keys()
    assert class_similarity(measured.plan, {("b0", "S-1"): frame(["zero"])}) is None
