"""Drawing: what all figures share: colours, style, files."""

import textwrap
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType
from pandas import DataFrame

from analysis.plan import Cell, Plan

# Okabe and Ito's colours, which colour-blind readers can tell apart; the yellow is left out, since
# it is too faint for a line. After one round the lines are dashed, then dotted.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)))
GREY = "#6b6b6b"
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


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Each figure as PNG and as SVG; the same figure gives the same bytes."""
    paths = []
    for name, figure in figures.items():
        # Figures of Optuna's come without a layout, and with powers of ten on their axes.
        own = figure.get_layout_engine() is not None
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            rc: dict[RcKeyType, Any] = {"figure.constrained_layout.use": own}
            with style(), matplotlib.rc_context(rc | {"text.parse_math": not own}):
                figure.savefig(
                    path,
                    metadata={"Date": None} if kind == "svg" else {},
                    bbox_inches=None if own else "tight",
                )
            if own:
                figure.set_layout_engine("none")  # it is laid out now, which takes a fifth
            paths.append(path)
    return paths


def style() -> AbstractContextManager[None]:
    return matplotlib.rc_context(STYLE)


def empty_figure(width: float, height: float, plan: Plan, part: str | None) -> Figure:
    """An empty figure, inches, with the study's title; demo numbers are marked there."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    title = plan.title + (f": {part}" if part else "")
    marked = f"{title} – DEMO SCALE" if plan.scale == "demo" else title
    figure.suptitle(textwrap.fill(marked, int(12.5 * width)))
    return figure


def line_style(i: int) -> dict[str, Any]:
    """How the line of that number looks, as matplotlib's keywords."""
    again, colour = divmod(i, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": DASHES[again % len(DASHES)]}


def name_of(plan: Plan, cell: Cell) -> str:
    """Its row, and its column where the row has several trials."""
    several = len(distinct(c for c in plan.cells if c.row == cell.row)) > 1
    return f"{cell.row}, {cell.column}" if several else cell.row


def distinct(cells: Iterable[Cell]) -> list[Cell]:
    """The cells that are run, those of the same trials once, at the first one's place."""
    by_trials: dict[tuple[tuple[str, str | None], ...], Cell] = {}
    for cell in cells:
        by_trials.setdefault(tuple(sorted(cell.trials.items())), cell)
    return [cell for cell in by_trials.values() if cell.trials]


def first_of_rows(
    plan: Plan, features: Mapping[tuple[str, str], DataFrame], column: str
) -> dict[str, DataFrame]:
    """By row, the first frame with that column; `features` are by trial id and measure."""
    found: dict[str, DataFrame] = {}
    for cell in plan.cells:
        for trial_id in cell.trials.values():
            frame = features.get((trial_id or "", cell.measure))
            if frame is not None and column in frame:
                found.setdefault(cell.row, frame)
    return found


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
