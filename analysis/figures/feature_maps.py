"""Figure of features: the t-SNE that the measure Separation has kept of each row."""

import math
from collections import Counter
from collections.abc import Mapping

from matplotlib.figure import Figure
from pandas import DataFrame

from analysis.figures.style import COLOURS, empty_figure, style
from analysis.plan import Cell, Plan

MARKERS = ("o", "x", "^")  # after one round of colours the next
MOST_CLASSES = 20  # with more, the first FEW alone are drawn: nobody tells so many apart
FEW = 10
ABREAST = 3  # panels


def feature_maps(plan: Plan, features: Mapping[tuple[str, str], DataFrame]) -> Figure | None:
    """A scatter plot a row: a dot an image, a colour and marker a class.

    `features`: columns x, y, label, by trial id and measure; others are passed over. Of a row's
    seeds the first one that has some is shown. None without any.
    """
    kept: list[tuple[Cell, DataFrame]] = []
    for cell in plan.cells:
        keys = [(i, cell.measure) for i in cell.trials.values() if i]
        first = next((key for key in keys if "x" in features.get(key, ())), None)
        if first is not None:
            kept.append((cell, features[first]))
    often = Counter(cell.row for cell, _ in kept)
    panels = {
        cell.row if often[cell.row] == 1 else f"{cell.row}, {cell.column}": frame
        for cell, frame in kept
    }
    if not panels:
        return None
    found = list(dict.fromkeys(name for frame in panels.values() for name in frame["label"]))
    classes = found if len(found) <= MOST_CLASSES else found[:FEW]
    lines, columns = math.ceil(len(panels) / ABREAST), min(len(panels), ABREAST)
    with style():
        legend_lines = math.ceil(len(classes) / 5)
        figure = empty_figure(7.2, 0.8 + 2.5 * lines + 0.18 * legend_lines, plan, None)
        axes = list(figure.subplots(lines, columns, squeeze=False).flat)
        for ax in axes:
            ax.set_axis_off()
        for ax, (title, frame) in zip(axes, panels.items(), strict=False):
            ax.set_axis_on()
            ax.set(title=title, xticks=[], yticks=[])
            for i, name in enumerate(classes):
                of_class = frame[frame["label"] == name]
                again, colour = divmod(i, len(COLOURS))
                ax.scatter(
                    of_class["x"],
                    of_class["y"],
                    s=9,
                    linewidths=0.8,
                    color=COLOURS[colour],
                    marker=MARKERS[again],
                    label=name,
                )
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
        return figure
