"""Figures of a study: learning curves, effects of settings, soft labels."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter
from pandas import DataFrame

from analysis.comparison import MEASURED, seed_values
from analysis.drawing import GREY, distinct, empty_figure, is_number, line_style, name_of, style
from analysis.feature_maps import feature_maps
from analysis.layout import RULE_WORDS
from analysis.soft_labels import soft_labels, soft_labels_over_training
from study.grid import Cell, Metric, Plan

# The test curve is drawn where nothing was held out for validation.
CURVES = {
    "train.accuracy": "training",
    "validation.accuracy": "validation",
    "test.accuracy": "test",
}
WRONG_LABELS = "train.wrong_label_error"
# No hyper-parameters of a training method: the seed, and settings of the images and the net, which
# at demo scale are those of stand-ins.
NOT_SWEPT = ("data.source.", "net.", "seed")
SHIFT = 0.03  # of an axis: how far all sweeps of a panel stand apart, so that none hides another


def draw(
    plan: Plan,
    runs: DataFrame,
    histories: DataFrame,
    soft: Mapping[str, DataFrame],
    over_training: Mapping[str, Mapping[int, DataFrame]],
    features: Mapping[tuple[str, str], DataFrame],
    rule: str,
) -> dict[str, Figure]:
    """All figures that there is something to draw for, by file name.

    `runs` and `histories` as analysis.runs gives them; `soft`: soft labels by trial id, and
    `over_training` those of earlier epochs; `features` by trial id and measure.
    """
    figures: dict[str, Figure] = {}
    seen: list[set[tuple[str, ...]]] = []  # trials of columns: measures share those of others
    for i, column in enumerate(plan.columns, start=1):
        trials = {tuple(map(str, c.trials.values())) for c in plan.cells if c.column == column}
        if trials in seen:
            continue
        seen.append(trials)
        part = f"_{i}_{_slug(column)}" if len(plan.columns) > 1 else ""
        for name, draw_one in (
            ("learning_curves", learning_curves),
            ("wrong_labels", wrong_labels),
        ):
            drawn = draw_one(plan, column, runs, histories)
            figures |= {f"{name}{part}": drawn} if drawn else {}
    shown = [(plan.columns[cell.column], cell.measure) for cell in plan.cells]
    for metric, measure in dict.fromkeys(shown):
        effect = effects(plan, metric, runs, rule, measure)
        name = _slug(f"{measure} {metric.words}".strip())
        figures |= {f"effects_{name}": effect} if effect else {}
    learned = soft_labels_over_training(plan, over_training)
    figures |= {"soft_labels_over_training": learned} if learned else {}
    heat = soft_labels(plan, soft)
    figures |= {"soft_labels": heat} if heat else {}
    maps = feature_maps(plan, features)
    return figures | ({"feature_maps": maps} if maps else {})


def learning_curves(
    plan: Plan, column: str, runs: DataFrame, histories: DataFrame
) -> Figure | None:
    """Accuracy by epoch, a line a row: mean over its seeds, in a band of a standard deviation.

    Rows of the same trials are one line. A row's line is of its finished seeds, or of the running
    ones as far as all have come. None while they have no epoch.
    """
    panels = dict(CURVES)
    if "validation.accuracy" in set(histories["metric"]):
        panels.pop("test.accuracy", None)
    return _curves(plan, column, runs, histories, panels, "accuracy")


def wrong_labels(plan: Plan, column: str, runs: DataFrame, histories: DataFrame) -> Figure | None:
    """The same of the error on wrongly labelled images against their wrong labels (OLS, Fig. 5)."""
    panels = {WRONG_LABELS: "wrongly labelled training images"}
    return _curves(plan, column, runs, histories, panels, "error against the wrong labels")


def _curves(
    plan: Plan,
    column: str,
    runs: DataFrame,
    histories: DataFrame,
    panels: Mapping[str, str],
    what: str,
) -> Figure | None:
    """Metrics by epoch, a panel each, those that are recorded of the column's trials."""
    cells = distinct(cell for cell in plan.cells if cell.column == column)
    started = runs.loc[runs.index.isin(histories["trial_id"])]
    lines = {label: ids for label, ids in (_line_of(cell, started) for cell in cells) if ids}
    shown = {trial_id for ids in lines.values() for trial_id in ids}
    recorded = set(histories.loc[histories["trial_id"].isin(shown), "metric"])
    panels = {name: title for name, title in panels.items() if name in recorded}
    if not panels or not lines:
        return None
    with style():
        height = 3.4 + 0.18 * math.ceil(len(lines) / 2)
        figure = empty_figure(7.2, height, plan, column if len(plan.columns) > 1 else None)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for ax, (metric, title) in zip(axes, panels.items(), strict=True):
            ax.set(title=title, xlabel="epoch")
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            of_metric = histories[histories["metric"] == metric]
            by_epoch = of_metric.pivot(index="epoch", columns="trial_id", values="value")
            for i, (label, ids) in enumerate(lines.items()):
                if known := [t for t in ids if t in by_epoch]:
                    _curve(ax, by_epoch[known].dropna(), label, i)
        axes[0].set_ylabel(what)
        axes[0].set_ylim(*_limits(axes))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=2,
            handlelength=2.6,
            title="mean over the seeds; band: ± standard deviation",
            title_fontsize=8,
        )
        return figure


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


def _line_of(cell: Cell, runs: DataFrame) -> tuple[str, list[str]]:
    """The label and the trials of a row's line; `runs`: those with a history."""
    known = [trial_id for trial_id in cell.trials.values() if trial_id and trial_id in runs.index]
    for status, mark in (("finished", ""), ("running", ", running")):
        ids = [trial_id for trial_id in known if runs.at[trial_id, "status"] == status]
        if ids:
            complete = len(ids) == len(cell.trials) and not mark
            part = f" ({len(ids)} of {len(cell.trials)} seeds{mark})"
            return cell.row + part * (not complete), ids
    return cell.row, []


def _curve(ax: Axes, by_epoch: DataFrame, label: str, i: int) -> None:
    """`by_epoch`: (epochs, trials)."""
    look = line_style(i)
    mean, epochs = by_epoch.mean(axis=1), by_epoch.index.to_numpy()
    ax.plot(epochs, mean, **look, linewidth=1.4, label=label)
    if by_epoch.shape[1] > 1:
        std = by_epoch.std(axis=1)
        ax.fill_between(epochs, mean - std, mean + std, color=look["color"], alpha=0.1, linewidth=0)


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


def _limits(axes: Sequence[Axes]) -> tuple[float, float]:
    """From the lowest mean after a quarter of the epochs: the start would press the rest flat."""
    lines = [np.asarray(line.get_xydata()) for ax in axes for line in ax.get_lines()]
    late = [y for line in lines for x, y in line if x >= line[:, 0].max() / 4]
    low = min(late, default=0.0)
    high = max((y for line in lines for y in line[:, 1]), default=1.0)
    return max(0.0, low - 0.05 * (high - low + 0.02)), min(1.01, high + 0.08 * (high - low + 0.02))


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
