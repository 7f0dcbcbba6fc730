"""Figure of labels that are arrays: a line a label set, a picture a class."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from pandas import DataFrame

from analysis.figures.style import empty_figure, first_of_rows, style
from analysis.plan import Plan

MOST = 10  # classes in a line
SIZES = ("height", "width")


def label_pictures(plan: Plan, features: Mapping[tuple[str, str], DataFrame]) -> Figure | None:
    """Each row's labels of the first classes, one scale a row; vectors are a line of pixels.

    `features`: columns label, height, width and the numbers by rows, by trial id and measure;
    others are passed over. Of a row's seeds the first one is shown. None without any.
    """
    lines = first_of_rows(plan, features, "height")
    if not lines:
        return None
    with style():
        figure = empty_figure(7.2, 0.6 + 1.0 * len(lines), plan, None)
        grid = figure.add_gridspec(len(lines), 1)
        for i, (row, frame) in enumerate(lines.items()):
            _line(figure, grid[i], row, frame.head(MOST), named=i == 0)
        return figure


def _line(figure: Figure, place: SubplotSpec, row: str, frame: DataFrame, named: bool) -> None:
    whole = figure.add_subplot(place)
    whole.set_axis_off()
    whole.set_title(row, fontsize=8, pad=14 if named else 6)
    numbers = frame.drop(columns=["label", *SIZES]).to_numpy(dtype=float)
    low, high = float(numbers.min()), float(numbers.max())
    inner = place.subgridspec(1, MOST)
    for i, (name, label) in enumerate(zip(frame["label"], numbers, strict=True)):
        ax = figure.add_subplot(inner[i])
        height, width = (int(frame[size].iloc[0]) for size in SIZES)
        picture = label.reshape(height, width)
        if height == 1:  # a line of pixels would be too thin to see
            picture = np.repeat(picture, max(1, width // 4), axis=0)
        ax.imshow(picture, cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
        ax.set_axis_off()
        if named:
            ax.set_title(str(name), fontsize=6, fontweight="normal", loc="center", pad=2)
