"""Effects: what one setting does to the result."""

import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from pandas import DataFrame

from analysis.comparison import MEASURED, seed_values
from analysis.figures.style import (
    GREY,
    distinct,
    empty_figure,
    is_number,
    line_style,
    name_of,
    style,
)
from analysis.layout import RULE_WORDS
from analysis.plan import Cell, Metric, Plan

# No hyper-parameters of a training method: the seed, and settings of the images, the net and the
# class vectors, which at demo scale are those of stand-ins.
NOT_SWEPT = ("data.source.", "net.", "head.vectors.", "seed")


SHIFT = 0.03  # of an axis: how far all sweeps of a panel stand apart, so that none hides another


def effects(
    plan: Plan, metric: Metric, runs: DataFrame, rule: str, measure: str = ""
) -> Figure | None:
    """The metric against each numeric setting in which some cells differ, and in nothing else.

    Tuned rows have no place here. `measure` is the label of what gives it, "" for the history.
    None where there are no such cells, or none of them has a value.
    """
    of_metric = [
        cell
        for cell in plan.cells
        if not cell.tunes and (plan.columns[cell.column], cell.measure) == (metric, measure)
    ]
    by_setting = {
        name: [s for s in sweeps if any(seed_values(metric, cell, runs, rule) for cell in s.cells)]
        for name, sweeps in alone(of_metric).items()
    }
    by_setting = {name: sweeps for name, sweeps in by_setting.items() if sweeps}
    if not by_setting:
        return None
    with style():
        columns = min(len(by_setting), 3)
        lines = math.ceil(len(by_setting) / columns)
        # Below each panel stands its legend: the sweeps and the baseline.
        abreast = 2 if columns == 1 else 1
        most = 1 + max(map(len, by_setting.values()))
        heights = [2.5, 0.18 * math.ceil(most / abreast)]
        figure = empty_figure(1.2 + 2.4 * max(columns, 2), 0.9 + lines * sum(heights), plan, None)
        grid = figure.add_gridspec(2 * lines, columns, height_ratios=heights * lines)
        for i, (name, sweeps) in enumerate(by_setting.items()):
            line, column = divmod(i, columns)
            ax = figure.add_subplot(grid[2 * line, column])
            _effect(ax, name, sweeps, plan, metric, runs, rule)
            if column == 0:
                unit = f"({metric.unit})" if metric.unit else ""
                ax.set_ylabel(f"{measure} {metric.words} {unit}".strip())
            below = figure.add_subplot(grid[2 * line + 1, column])
            below.set_axis_off()
            entries = ax.get_legend_handles_labels()
            below.legend(*entries, loc="upper center", ncols=abreast, handlelength=4)
        said = (
            "Dots: seeds; circles: their mean. A line joins cells that differ in this setting "
            f"alone; each panel has its own scale. Values are {_taken(rule, measure)}."
        )
        figure.supxlabel(textwrap.fill(said, 40 * max(columns, 2)), fontsize=8, color=GREY)
        return figure


def _taken(rule: str, measure: str) -> str:
    return f"of the {MEASURED}" if measure else RULE_WORDS[rule]


@dataclass(frozen=True)
class Sweep:
    """Cells that differ in one setting alone, and that setting's value in each, ascending."""

    cells: tuple[Cell, ...]
    values: tuple[float, ...]


def alone(cells: Sequence[Cell]) -> dict[str, list[Sweep]]:
    """By numeric hyper-parameter: the sweeps, cells that differ in nothing else.

    A cell without a rule that others have at some rate, like wrong labels, has it at rate 0.
    """
    cells = distinct(cells)
    numeric = dict.fromkeys(n for c in cells for n, v in c.settings.items() if is_number(v))
    found: dict[str, list[Sweep]] = {}
    for name in (n for n in numeric if not n.startswith(NOT_SWEPT)):
        held: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
        for cell in cells:
            if is_number(cell.settings.get(name)):
                rest = sorted((n, repr(v)) for n, v in cell.settings.items() if n != name)
                held.setdefault(tuple(rest), []).append(cell)
        rules = name.removesuffix(".0.rate")
        for group in held.values():
            if rules != name:
                others = {n: v for n, v in group[0].settings.items() if not n.startswith(rules)}
                group += [c for c in cells if c.settings == {**others, rules: "[]"}]
            group.sort(key=lambda cell: float(cell.settings.get(name, 0)))
            values = tuple(float(cell.settings.get(name, 0)) for cell in group)
            if len(set(values)) > 1:
                found.setdefault(name, []).append(Sweep(tuple(group), values))
    return found


def _effect(
    ax: Axes,
    name: str,
    sweeps: Sequence[Sweep],
    plan: Plan,
    metric: Metric,
    runs: DataFrame,
    rule: str,
) -> None:
    values = sorted({value for one in sweeps for value in one.values})
    if logarithmic := values[0] > 0 and values[-1] / values[0] >= 8:
        ax.set_xscale("log")
    for i, (one, label) in enumerate(zip(sweeps, labels(sweeps, plan), strict=True)):
        aside = SHIFT * ((i + 0.5) / len(sweeps) - 0.5)
        places = [
            x * (values[-1] / values[0]) ** aside if logarithmic else x + aside * np.ptp(values)
            for x in one.values
        ]
        found = [list(seed_values(metric, cell, runs, rule).values()) for cell in one.cells]
        pairs = [(x, y) for x, ys in zip(places, found, strict=True) for y in ys]
        means = [(x, float(np.mean(ys))) for x, ys in zip(places, found, strict=True) if ys]
        look = line_style(i)
        ax.plot(*zip(*means, strict=True), marker="o", **look, mfc="white", ms=6, label=label)
        ax.plot(*zip(*pairs, strict=True), "o", color=look["color"], ms=3.5, mew=0, alpha=0.6)
    baselines = distinct(b for one in sweeps for c in one.cells if (b := plan.baseline_of(c)))
    reference = [seed_values(metric, cell, runs, rule) for cell in baselines]
    if len(reference) == 1 and reference[0]:
        level = float(np.mean(list(reference[0].values())))
        ax.axhline(level, color=GREY, linestyle=(0, (4, 3)), linewidth=1, label=plan.baseline)
    ax.xaxis.set_major_locator(FixedLocator(values))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.margins(x=0.12, y=0.08)
    ax.set_xlabel(name)


def labels(sweeps: Sequence[Sweep], plan: Plan) -> list[str]:
    """Of each sweep, what the names of its cells share: "OLS" of "OLS, 20%" and "OLS, 40%".

    A single one may share nothing and then has no label. Several that are not told apart so have
    their first and last cell for a label.
    """
    names = [[name_of(plan, cell) for cell in one.cells] for one in sweeps]
    words = [[re.split(r"[,:] ", name) for name in of_sweep] for of_sweep in names]
    shared = [", ".join(w for w in first if all(w in r for r in rest)) for first, *rest in words]
    if len(sweeps) == 1 or len(set(shared) - {""}) == len(sweeps):
        return shared
    return [f"{of_sweep[0]} to {of_sweep[-1]}" for of_sweep in names]
