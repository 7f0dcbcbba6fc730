"""Curves: metrics over the epochs, a line a row."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from pandas import DataFrame

from analysis.figures.style import (
    distinct,
    empty_figure,
    line_style,
    style,
)
from analysis.plan import Cell, Plan

# The test curve is drawn where nothing was held out for validation.
CURVES = {
    "train.accuracy": "training",
    "validation.accuracy": "validation",
    "test.accuracy": "test",
}


WRONG_LABELS = "train.wrong_label_error"


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
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
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


def _limits(axes: Sequence[Axes]) -> tuple[float, float]:
    """From the lowest mean after a quarter of the epochs: the start would press the rest flat."""
    lines = [np.asarray(line.get_xydata()) for ax in axes for line in ax.get_lines()]
    late = [y for line in lines for x, y in line if x >= line[:, 0].max() / 4]
    low = min(late, default=0.0)
    high = max((y for line in lines for y in line[:, 1]), default=1.0)
    return max(0.0, low - 0.05 * (high - low + 0.02)), min(1.01, high + 0.08 * (high - low + 0.02))
