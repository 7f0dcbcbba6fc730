"""Figure of attacks: accuracy over the strength of an attack."""

import math
import re
from collections.abc import Iterator

from matplotlib.figure import Figure
from pandas import DataFrame

from analysis.comparison import seed_values
from analysis.figures.style import empty_figure, line_style, style
from analysis.plan import Cell, Metric, Plan

AT = re.compile(r"accuracy at ([\d.]+)")
ABREAST = 2  # panels


def attack_curves(plan: Plan, runs: DataFrame, rule: str) -> Figure | None:
    """A panel an attack, a line a row: mean accuracy over its seeds by eps. None without any."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for title, cell in _attacked(plan):
        points = []
        for eps, name in _strengths(runs, cell.measure):
            values = seed_values(Metric(name, "%", 100.0), cell, runs, rule)
            if values:
                points.append((eps, sum(values.values()) / len(values)))
        if points:
            panels.setdefault(title, {}).setdefault(cell.row, points)
    if not panels:
        return None
    rows = plan.rows()
    lines = math.ceil(len(panels) / ABREAST)
    with style():
        figure = empty_figure(7.2, 1.4 + 2.2 * lines, plan, None)
        axes = list(figure.subplots(lines, ABREAST, squeeze=False, sharey=True).flat)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        for ax, (title, found) in zip(axes, panels.items(), strict=False):
            ax.set(title=title, xlabel="eps", ylim=(0, 103))
            for row, points in found.items():
                ax.plot(*zip(*points, strict=True), label=row, **line_style(rows.index(row)))
        for ax in axes[::ABREAST]:
            ax.set_ylabel("accuracy (%)")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        return figure


def _attacked(plan: Plan) -> Iterator[tuple[str, Cell]]:
    """The cells of a measure that gives accuracies by eps, each under its attack's name."""
    for cell in plan.cells:
        if cell.trials and AT.fullmatch(plan.columns[cell.column].name):
            yield cell.column.rpartition(",")[0] or cell.measure, cell


def _strengths(runs: DataFrame, measure: str) -> list[tuple[float, str]]:
    """Every eps that the measure was recorded at, with the name of its value."""
    names = (str(name).partition(f"{measure}/")[2] for name in runs if f"{measure}/" in str(name))
    return sorted((float(found[1]), name) for name in names if (found := AT.fullmatch(name)))
