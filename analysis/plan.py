"""Plan: a study laid out as plain data, for whoever reads or shows it."""

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from trainables.settings import Invalid, Use, unknown

Scale = Literal["demo", "paper"]


@dataclass(frozen=True)
class Metric:
    """What a column shows: a number, times `factor`, plus `offset`, in `unit`.

    `name` is a metric of the history, or a value that the `measure` gives. Raises Invalid for one
    that it does not give.
    """

    name: str
    unit: str
    factor: float = 1.0
    better: Literal["higher", "lower"] = "higher"
    offset: float = 0.0
    measure: Use | None = None

    def __post_init__(self) -> None:
        if self.measure:
            check_given(self.measure, self.name)

    @property
    def words(self) -> str:
        """What it is called: "test accuracy", or "test error" for what that leaves of 100 %."""
        words = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", self.name)  # not the point of a number
        return words.replace("accuracy", "error") if self.factor < 0 else words


def check_given(measure: Use, name: str) -> None:
    """Raises Invalid for what is no measure, or one that gives no value of that name."""
    if not hasattr(measure.part, "gives"):
        raise Invalid(f"measure = {measure!r}: must use a Measure")
    if name not in measure.part.gives:
        raise unknown(f"{measure.name}: value", name, measure.part.gives)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a plan: which trials it is the mean of, by seed; empty if published only."""

    row: str
    column: str
    trials: dict[str, str | None]  # seed -> id; None where an id needs files that are not at hand
    published: tuple[float, float | None] | None  # mean and std, in the column's unit
    settings: dict[str, Any]  # Trial.flat() of the first seed
    measure: str = ""  # the label of what gives the number; "": the history, by a selection rule
    tunes: tuple[str, ...] = ()  # of a search's winner: the printed rows whose search it was
    budget: str = ""  # and what the search was given
    inferred: bool = False  # whether the published number's column was lost, and found again


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study laid out: a grid at a scale with seeds and overrides. Plain data, kept as JSON."""

    study: str
    grid: str
    title: str
    paper: str
    scale: Scale
    overrides: tuple[str, ...]
    columns: dict[str, Metric]
    baseline: str
    selection: str
    assumed: tuple[str, ...]
    cells: tuple[Cell, ...]
    # By label, the settings of each measure; the columns' own are not repeated there.
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The rows and columns of the grid that the data do not support, each with the reason.
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def printed(self) -> bool:
        """Whether somebody has printed the table: else nothing is told of a paper."""
        return bool(self.paper) or any(cell.published for cell in self.cells)

    def trials(self) -> list[str]:
        """The ids of all trials, each once, in the order of the table."""
        return list(dict.fromkeys(i for c in self.cells for i in c.trials.values() if i))

    def of(self, rows: tuple[str, ...] = (), seeds: int | None = None) -> "Plan":
        """Of these rows, with their winners and baselines, and of seeds below that number."""
        chosen = [c for c in self.cells if not rows or {*rows} & {c.row, *c.tunes}]
        kept = [c for c in self.cells if c in chosen or c in map(self.baseline_of, chosen)]
        cells = (
            replace(c, trials={s: i for s, i in c.trials.items() if not seeds or int(s) < seeds})
            for c in kept
        )
        return replace(self, cells=tuple(cells))

    def rows(self) -> list[str]:
        return list(dict.fromkeys(cell.row for cell in self.cells))

    def baseline_of(self, cell: Cell) -> Cell | None:
        """The cell that this one's gain refers to; None for a baseline itself.

        A tuned cell's is the tuned baseline, which had the same budget.
        """
        if cell.tunes and self.baseline not in self.columns:
            tuned = (c for c in self.cells if c.column == cell.column and self.baseline in c.tunes)
            return next((c for c in tuned if c is not cell), None)
        own = (
            (cell.row, self.baseline)
            if self.baseline in self.columns
            else (self.baseline, cell.column)
        )
        return next((c for c in self.cells if (c.row, c.column) == own and c is not cell), None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Plan":
        tuples = {name: tuple(values[name]) for name in ("overrides", "assumed")}
        columns = {name: Metric(**metric) for name, metric in values["columns"].items()}
        cells = tuple(
            Cell(
                **{
                    **cell,
                    "published": cell["published"] and tuple(cell["published"]),
                    "tunes": tuple(cell.get("tunes", ())),
                }
            )
            for cell in values["cells"]
        )
        return cls(**{**values, **tuples, "columns": columns, "cells": cells})
