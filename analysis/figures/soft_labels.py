"""Figures of soft labels: the matrices as heat maps, with entropies and true classes' masses."""

import hashlib
import math
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from pandas import DataFrame

from analysis.figures.style import COLOURS, GREY, distinct, empty_figure, is_number, name_of, style
from analysis.plan import Cell, Plan

NAMED_CLASSES = 30  # with more, the names do not fit beside a heat map


def soft_labels(plan: Plan, soft: Mapping[str, DataFrame]) -> Figure | None:
    """Each distinct matrix as a heat map, with its classes' entropies and true classes' masses.

    Of a row whose seeds have different matrices, the first seed's is shown.
    """
    matrices = _matrices(plan, soft)
    if not matrices:
        return None
    with style():
        figure = empty_figure(7.2, 1.1 + 2.3 * len(matrices), plan, None)
        heights = [*[1.0] * len(matrices), 0.05]
        grid = figure.add_gridspec(
            len(heights), 3, width_ratios=(1.15, 1, 1), height_ratios=heights
        )
        norm = PowerNorm(0.5, 0, max(float(frame.to_numpy().max()) for _, frame in matrices))
        for i, (title, frame) in enumerate(matrices):
            _line_title(figure, grid[i, :], title, pad=18)  # above the titles of the columns
            line = [figure.add_subplot(grid[i, j]) for j in range(3)]
            image = _soft_label_line(line, frame, norm, last=i + 1 == len(matrices))
        _colour_bar(figure, grid[-1, 0], image)
        return figure


def soft_labels_over_training(
    plan: Plan, over_training: Mapping[str, Mapping[int, DataFrame]]
) -> Figure | None:
    """A line of heat maps a row with learned soft labels: after each of some epochs.

    `over_training`: matrices by trial id and epoch. Rows of the same trials are one line.
    """
    lines: dict[str, Mapping[int, DataFrame]] = {}
    for cell in distinct(plan.cells):
        label = name_of(plan, cell)
        for trial_id in cell.trials.values():
            if trial_id and over_training.get(trial_id):
                lines.setdefault(label, over_training[trial_id])
    if not lines:
        return None
    columns = max(map(len, lines.values()))
    frames = [frame for found in lines.values() for frame in found.values()]
    norm = PowerNorm(0.5, 0, max(float(frame.to_numpy().max()) for frame in frames))
    with style():
        figure = empty_figure(7.2, 1.1 + 1.75 * len(lines), plan, None)
        heights = [*[1.0] * len(lines), 0.05]
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for i, (label, found) in enumerate(lines.items()):
            _line_title(figure, grid[i, :], label)
            for j, (epoch, frame) in enumerate(found.items()):
                ax = figure.add_subplot(grid[i, j])
                image = _heat_map(ax, frame.to_numpy(dtype=float), norm)
                ax.set(xlabel=f"epoch {epoch}", xticks=[], yticks=[], anchor="NW")
        _colour_bar(figure, grid[-1, :], image)
        return figure


def _matrices(plan: Plan, soft: Mapping[str, DataFrame]) -> list[tuple[str, DataFrame]]:
    """The distinct matrices with their titles, in the order of the table.

    Where settings alone do not tell matrices apart, the title says of which cell each is.
    """
    found: dict[str, tuple[Cell, DataFrame]] = {}
    for cell in distinct(plan.cells):
        first = next((i for i in cell.trials.values() if i in soft), None)
        if first is not None:
            names = "\n".join(map(str, soft[first].columns))
            content = soft[first].to_numpy().round(9).tobytes() + names.encode()
            found.setdefault(hashlib.sha256(content).hexdigest(), (cell, soft[first]))
    titles = Counter(_targets(cell) for cell, _ in found.values())
    return [
        (_targets(c) if titles[_targets(c)] == 1 else f"{_targets(c)} ({name_of(plan, c)})", frame)
        for c, frame in found.values()
    ]


def _targets(cell: Cell) -> str:
    settings = {
        name.removeprefix("targets."): value
        for name, value in cell.settings.items()
        if name.startswith("targets.") and not name.endswith(".sha256")
    }
    words = [f"{k} {v:g}" if is_number(v) else f"{k} {v}" for k, v in settings.items()]
    return (
        f"{cell.settings['targets']}: {', '.join(words)}"
        if words
        else str(cell.settings["targets"])
    )


def _soft_label_line(
    axes: Sequence[Axes], frame: DataFrame, norm: PowerNorm, last: bool
) -> AxesImage:
    """Heat map, entropies, masses; the three share the classes, and all lines the scales."""
    heat, entropies, masses = axes
    values = frame.to_numpy(dtype=float)
    classes = np.arange(len(values))
    image = _heat_map(heat, values, norm)
    if len(values) <= NAMED_CLASSES:
        heat.set_yticks(classes, [str(name) for name in frame.columns], fontsize=7)
        heat.set_xticks([])
    else:
        heat.set_ylabel("class")
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


def _line_title(figure: Figure, place: SubplotSpec, title: str, pad: float = 6) -> None:
    """Of axes over the whole line: the layout would make room for it beside those of one column."""
    whole = figure.add_subplot(place)
    whole.set_axis_off()
    whole.set_title(textwrap.fill(title, 90), pad=pad)


def _heat_map(ax: Axes, values: np.ndarray[Any, Any], norm: PowerNorm) -> AxesImage:
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set(visible=True, color=GREY, linewidth=0.5)
    return ax.imshow(values, cmap="Blues", norm=norm, interpolation="nearest")


def _colour_bar(figure: Figure, place: SubplotSpec, image: AxesImage) -> None:
    bar = figure.colorbar(image, cax=figure.add_subplot(place), orientation="horizontal")
    bar.set_label("probability (square-root scale)")
    bar.outline.set_visible(False)


def _entropy(distributions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of each row, in nats."""
    logs = np.log(distributions, out=np.zeros_like(distributions), where=distributions > 0)
    return np.asarray(-(distributions * logs).sum(axis=1))
