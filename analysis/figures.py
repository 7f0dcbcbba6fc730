"""Figures of a study, as PNG and SVG: learning curves, effects of settings, soft labels."""

import hashlib
import math
import re
import textwrap
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import optuna
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter
from matplotlib.typing import RcKeyType
from optuna.distributions import json_to_distribution
from optuna.importance import FanovaImportanceEvaluator
from pandas import DataFrame

from analysis.tables import MEASURED, RULE_WORDS, seed_values
from study.grid import Cell, Metric, Plan

optuna.logging.set_verbosity(optuna.logging.WARNING)

# Okabe and Ito's colours, which colour-blind readers can tell apart; the yellow is left out, since
# it is too faint for a line. After one round the lines are dashed, then dotted.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))
GREY = "#6b6b6b"
# The test curve is drawn where nothing was held out for validation.
CURVES = {
    "train.accuracy": "training",
    "validation.accuracy": "validation",
    "test.accuracy": "test",
}
NAMED_CLASSES = 30  # with more, the names do not fit beside a heat map

STYLE: dict[RcKeyType, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 150,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.titlesize": 10,
    "figure.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "label-studies",
    "text.parse_math": False,  # a row may have dollars in its name
}


def draw(
    plan: Plan, runs: DataFrame, histories: DataFrame, soft: Mapping[str, DataFrame], rule: str
) -> dict[str, Figure]:
    """All figures that there is something to draw for, by file name.

    `runs` and `histories` as analysis.runs gives them; `soft`: soft labels by trial id.
    """
    figures: dict[str, Figure] = {}
    drawn: list[set[tuple[str, ...]]] = []  # trials of columns: measures share those of others
    for i, column in enumerate(plan.columns, start=1):
        trials = {tuple(map(str, c.trials.values())) for c in plan.cells if c.column == column}
        if trials in drawn:
            continue
        drawn.append(trials)
        curves = learning_curves(plan, column, runs, histories)
        part = f"_{i}_{_slug(column)}" if len(plan.columns) > 1 else ""
        figures |= {f"learning_curves{part}": curves} if curves else {}
    shown = [(plan.columns[cell.column], cell.measure) for cell in plan.cells]
    for metric, measure in dict.fromkeys(shown):
        effect = effects(plan, metric, runs, rule, measure)
        name = _slug(f"{measure} {metric.name}".strip())
        figures |= {f"effects_{name}": effect} if effect else {}
    heat = soft_labels(plan, soft)
    return figures | ({"soft_labels": heat} if heat else {})


def searches(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """History, importance, slices and a contour of each search, by file name.

    `summaries` as study.search.summary gives them. The contour is of the two settings of most
    importance. A search with fewer than two values has none of them.
    """
    figures: dict[str, Figure] = {}
    for i, summary in enumerate(summaries, start=1):
        study = _study(summary)
        values = {trial.value for trial in study.trials if trial.value is not None}
        if len(values) > 1:
            for name, figure in _search(study).items():
                figure.suptitle(f"{summary['label']} ({summary['column']}): {name}")
                figures[f"search_{i}_{name}"] = figure
    return figures


def _study(summary: Mapping[str, Any]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    for point in summary["points"]:
        if point["repeats"] is None and point["state"] in ("complete", "fail"):
            ranges = point["distributions"].items()
            study.add_trial(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState[point["state"].upper()],
                    value=point["value"],
                    params=point["params"],
                    distributions={name: json_to_distribution(text) for name, text in ranges},
                )
            )
    return study


def _search(study: optuna.Study) -> dict[str, Figure]:
    plot = optuna.visualization.matplotlib
    with warnings.catch_warnings(), plt.ioff():
        warnings.simplefilter("ignore")  # Optuna calls all of them experimental
        evaluator = FanovaImportanceEvaluator(seed=0)
        important = optuna.importance.get_param_importances(study, evaluator=evaluator)
        drawn: dict[str, Any] = {"history": plot.plot_optimization_history(study)}
        if important:
            drawn["importance"] = plot.plot_param_importances(study, evaluator=evaluator)
            drawn["slices"] = plot.plot_slice(study)
        if len(important) > 1:
            drawn["contour"] = plot.plot_contour(study, params=list(important)[:2])
    figures = {name: _figure_of(axes) for name, axes in drawn.items()}
    for figure in figures.values():
        for ax in figure.axes:
            ax.set_title("", loc="left")
        plt.close(figure)
    return figures


def _figure_of(axes: Any) -> Figure:
    """The figure of one or several axes."""
    figure: Figure = np.asarray(axes).flat[0].figure
    return figure


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Each figure as PNG and as SVG; the same figure gives the same bytes."""
    paths = []
    for name, figure in figures.items():
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            # Figures of Optuna's come without a layout, and with powers of ten on their axes.
            own = figure.get_layout_engine() is not None
            rc: dict[RcKeyType, Any] = {"figure.constrained_layout.use": own}
            with _style(), matplotlib.rc_context(rc | {"text.parse_math": not own}):
                figure.savefig(
                    path,
                    metadata={"Date": None} if kind == "svg" else {},
                    bbox_inches=None if own else "tight",
                )
            paths.append(path)
    return paths


def learning_curves(
    plan: Plan, column: str, runs: DataFrame, histories: DataFrame
) -> Figure | None:
    """Accuracy by epoch, a line a row: mean over its seeds, in a band of a standard deviation.

    Rows of the same trials are one line. A row's line is of its finished seeds, or of the running
    ones as far as all have come. None while they have no epoch.
    """
    recorded = set(histories["metric"])
    panels = {name: title for name, title in CURVES.items() if name in recorded}
    if "validation.accuracy" in panels:
        panels.pop("test.accuracy", None)
    cells = _distinct(cell for cell in plan.cells if cell.column == column)
    started = runs.loc[runs.index.isin(histories["trial_id"])]
    lines = {label: ids for label, ids in (_line_of(cell, started) for cell in cells) if ids}
    if not panels or not lines:
        return None
    with _style():
        height = 3.4 + 0.18 * math.ceil(len(lines) / 2)
        figure = _figure(7.2, height, plan, column if len(plan.columns) > 1 else None)
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for ax, (metric, title) in zip(axes, panels.items(), strict=True):
            ax.set(title=title, xlabel="epoch")
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            of_metric = histories[histories["metric"] == metric]
            by_epoch = of_metric.pivot(index="epoch", columns="trial_id", values="value")
            for i, (label, ids) in enumerate(lines.items()):
                _curve(ax, by_epoch[[t for t in ids if t in by_epoch]].dropna(), label, i)
        axes[0].set_ylabel("accuracy")
        axes[0].set_ylim(*_accuracy_limits(axes))
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

    `measure` is the label of what gives it, "" for the history. None where there are no such cells,
    or none of them has a value.
    """
    of_metric = [
        cell
        for cell in plan.cells
        if (plan.columns[cell.column], cell.measure) == (metric, measure)
    ]
    by_setting = {
        name: [s for s in sweeps if any(seed_values(metric, cell, runs, rule) for cell in s.cells)]
        for name, sweeps in alone(of_metric).items()
    }
    by_setting = {name: sweeps for name, sweeps in by_setting.items() if sweeps}
    if not by_setting:
        return None
    with _style():
        columns = min(len(by_setting), 3)
        rows = math.ceil(len(by_setting) / columns)
        figure = _figure(1.2 + 2.4 * max(columns, 2), 0.9 + 2.7 * rows, plan, None)
        axes = figure.subplots(rows, columns, squeeze=False)
        for ax in axes.flat[len(by_setting) :]:
            ax.set_axis_off()
        for ax, (name, sweeps) in zip(axes.flat, by_setting.items(), strict=False):
            _effect(ax, name, sweeps, plan, metric, runs, rule)
        for ax in axes[:, 0]:
            ax.set_ylabel(f"{measure} {metric.name.replace('.', ' ')} ({metric.unit})".strip())
        said = (
            "Dots: seeds; circles: their mean. A line joins cells that differ in this setting "
            f"alone; each panel has its own scale. Values are {_taken(rule, measure)}."
        )
        figure.supxlabel(textwrap.fill(said, 40 * max(columns, 2)), fontsize=8, color=GREY)
        return figure


def soft_labels(plan: Plan, soft: Mapping[str, DataFrame]) -> Figure | None:
    """Each distinct matrix as a heat map, with its classes' entropies and true classes' masses.

    Of a row whose seeds have different matrices, the first seed's is shown.
    """
    matrices = _matrices(plan, soft)
    if not matrices:
        return None
    with _style():
        figure = _figure(7.2, 1.1 + 2.3 * len(matrices), plan, None)
        heights = [*[1.0] * len(matrices), 0.05]
        grid = figure.add_gridspec(
            len(heights), 3, width_ratios=(1.15, 1, 1), height_ratios=heights
        )
        norm = PowerNorm(0.5, 0, max(float(frame.to_numpy().max()) for frame in matrices.values()))
        for i, (title, frame) in enumerate(matrices.items()):
            line = [figure.add_subplot(grid[i, j]) for j in range(3)]
            image = _soft_label_line(line, title, frame, norm, last=i + 1 == len(matrices))
        bar = figure.colorbar(image, cax=figure.add_subplot(grid[-1, 0]), orientation="horizontal")
        bar.set_label("probability (square-root scale)")
        bar.outline.set_visible(False)
        return figure


def _taken(rule: str, measure: str) -> str:
    return f"of the {MEASURED}" if measure else RULE_WORDS[rule]


@dataclass(frozen=True)
class Sweep:
    """Cells that differ in one setting alone, and that setting's value in each, ascending."""

    cells: tuple[Cell, ...]
    values: tuple[float, ...]


def alone(cells: Sequence[Cell]) -> dict[str, list[Sweep]]:
    """By numeric setting: the sweeps, cells that differ in nothing else."""
    cells = _distinct(cells)
    names = dict.fromkeys(n for c in cells for n, v in c.settings.items() if _is_number(v))
    found: dict[str, list[Sweep]] = {}
    for name in names:
        held: dict[tuple[tuple[str, str], ...], list[Cell]] = {}
        for cell in cells:
            if name != "seed" and _is_number(cell.settings.get(name)):
                rest = sorted((n, repr(v)) for n, v in cell.settings.items() if n != name)
                held.setdefault(tuple(rest), []).append(cell)
        for group in held.values():
            group.sort(key=lambda cell: float(cell.settings[name]))
            values = tuple(float(cell.settings[name]) for cell in group)
            if len(set(values)) > 1:
                found.setdefault(name, []).append(Sweep(tuple(group), values))
    return found


def _style() -> AbstractContextManager[None]:
    return matplotlib.rc_context(STYLE)


def _figure(width: float, height: float, plan: Plan, part: str | None) -> Figure:
    """An empty figure, inches, with the study's title; demo numbers are marked there."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    title = plan.title + (f": {part}" if part else "")
    marked = f"{title} – DEMO SCALE" if plan.scale == "demo" else title
    figure.suptitle(textwrap.fill(marked, int(12.5 * width)))
    return figure


def _distinct(cells: Iterable[Cell]) -> list[Cell]:
    """The cells that are run, those of the same trials once."""
    by_trials = {tuple(sorted(cell.trials.items())): cell for cell in reversed(list(cells))}
    return [cell for cell in reversed(by_trials.values()) if cell.trials]


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
    colour = COLOURS[i % len(COLOURS)]
    dash = DASHES[i // len(COLOURS) % len(DASHES)]
    mean, epochs = by_epoch.mean(axis=1), by_epoch.index.to_numpy()
    ax.plot(epochs, mean, color=colour, linestyle=dash, linewidth=1.4, label=label)
    if by_epoch.shape[1] > 1:
        std = by_epoch.std(axis=1)
        ax.fill_between(epochs, mean - std, mean + std, color=colour, alpha=0.1, linewidth=0)


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
    for i, one in enumerate(sweeps):
        # Sweeps stand side by side, so that none hides another.
        aside = 0.02 * (i - (len(sweeps) - 1) / 2)
        places = [
            x * (values[-1] / values[0]) ** aside if logarithmic else x + aside * np.ptp(values)
            for x in one.values
        ]
        found = [list(seed_values(metric, cell, runs, rule).values()) for cell in one.cells]
        pairs = [(x, y) for x, ys in zip(places, found, strict=True) for y in ys]
        means = [(x, float(np.mean(ys))) for x, ys in zip(places, found, strict=True) if ys]
        colour, label = COLOURS[(i + 1) % len(COLOURS)], _held(one, sweeps, plan, name)
        ax.plot(*zip(*means, strict=True), "-o", color=colour, mfc="white", ms=8, label=label)
        ax.plot(*zip(*pairs, strict=True), "o", color=colour, ms=3.5, mew=0, alpha=0.6)
    baselines = _distinct(b for one in sweeps for c in one.cells if (b := plan.baseline_of(c)))
    reference = [seed_values(metric, cell, runs, rule) for cell in baselines]
    if len(reference) == 1 and reference[0]:
        level = float(np.mean(list(reference[0].values())))
        ax.axhline(level, color=GREY, linestyle=(0, (4, 3)), linewidth=1, label=plan.baseline)
    ax.xaxis.set_major_locator(FixedLocator(values))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.margins(x=0.12, y=0.08)
    ax.set_xlabel(name)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=8, handlelength=2)


def _held(one: Sweep, among: Sequence[Sweep], plan: Plan, name: str) -> str:
    """What tells this sweep from the others; of a single one, in what else the rows differ."""
    others = [cell for s in among for cell in s.cells]
    if len(among) == 1:
        others = [cell for cell in plan.cells if cell.trials]
    first = one.cells[0].settings
    differ = [
        key
        for key, value in first.items()
        if key not in (name, "seed") and any(c.settings.get(key, value) != value for c in others)
    ]
    if len(among) == 1:
        differ = [key for key in differ if _is_number(first[key])]
    words = [
        f"{key.rpartition('.')[2]} {first[key]:g}" if _is_number(first[key]) else str(first[key])
        for key in differ
    ]
    return ", ".join(words) or one.cells[0].row


def _matrices(plan: Plan, soft: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """The distinct matrices by their titles, in the order of the table."""
    seen: dict[str, DataFrame] = {}
    titled: dict[str, DataFrame] = {}
    for cell in _distinct(plan.cells):
        first = next((i for i in cell.trials.values() if i in soft), None)
        if first is None:
            continue
        frame = soft[first]
        content = frame.to_numpy().round(9)
        key = hashlib.sha256(content.tobytes() + "\n".join(frame.columns).encode()).hexdigest()
        if key not in seen:
            seen[key] = frame
            title = _targets(cell)
            titled[title if title not in titled else f"{title} ({cell.row})"] = frame
    return titled


def _targets(cell: Cell) -> str:
    settings = {
        name.removeprefix("targets."): value
        for name, value in cell.settings.items()
        if name.startswith("targets.") and not name.endswith(".sha256")
    }
    words = [f"{k} {v:g}" if _is_number(v) else f"{k} {v}" for k, v in settings.items()]
    return (
        f"{cell.settings['targets']}: {', '.join(words)}"
        if words
        else str(cell.settings["targets"])
    )


def _soft_label_line(
    axes: Sequence[Axes], title: str, frame: DataFrame, norm: PowerNorm, last: bool
) -> AxesImage:
    """Heat map, entropies, masses; the three share the classes, and all lines the scales."""
    heat, entropies, masses = axes
    values = frame.to_numpy(dtype=float)
    classes = np.arange(len(values))
    image = heat.imshow(values, cmap="Blues", norm=norm, interpolation="nearest")
    heat.set_title(title, pad=18)  # above the titles beside it
    heat.grid(False)
    if len(values) <= NAMED_CLASSES:
        heat.set_yticks(classes, [str(name) for name in frame.columns], fontsize=7)
        heat.set_xticks([])
    else:
        heat.set_ylabel("class")
    for spine in heat.spines.values():
        spine.set(visible=True, color=GREY, linewidth=0.5)
    uniform = math.log(len(values))
    entropies.axvline(uniform, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    columns = (
        (entropies, _entropy(values), COLOURS[1], uniform, "entropy (nats; dashed: uniform)"),
        (masses, np.diag(values), COLOURS[2], 1.0, "mass of the true class"),
    )
    for ax, numbers, colour, most, name in columns:
        ax.barh(classes, numbers, height=0.8, color=colour)
        ax.set_title(f"mean {numbers.mean():.2f}", fontweight="normal")
        ax.set(xlim=(0, 1.04 * most), ylim=heat.get_ylim(), yticks=[])
        ax.grid(axis="y", visible=False)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.tick_params(labelbottom=last)
        ax.set_xlabel(name if last else "")
    return image


def _entropy(distributions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of each row, in nats."""
    logs = np.log(distributions, out=np.zeros_like(distributions), where=distributions > 0)
    return np.asarray(-(distributions * logs).sum(axis=1))


def _accuracy_limits(axes: Sequence[Axes]) -> tuple[float, float]:
    """From the lowest mean after a quarter of the epochs: the start would press the rest flat."""
    lines = [line.get_xydata() for ax in axes for line in ax.get_lines()]
    late = [
        y for line in lines for x, y in np.asarray(line) if x >= np.asarray(line)[:, 0].max() / 4
    ]
    low, high = min(late, default=0.0), max(late, default=1.0)
    return max(0.0, low - 0.05 * (high - low + 0.02)), min(1.01, high + 0.08 * (high - low + 0.02))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
