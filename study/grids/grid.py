"""Grid: a published table as trials; Plan: the same with the ids of what is to be run."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from analysis.plan import Metric, Scale, check_given
from study.grids.demo import demo
from trainables.settings import Use, unknown
from trainables.trial import Trial

SUFFIX = ".py"  # of a file that defines a grid

Published = float | tuple[float, float] | None  # mean, or mean and standard deviation, as printed


class Inferred(float):
    """A mean whose column was lost with the document's layout, and found again."""


# A cell as it is typed. No trial: a number of other authors, never run here. With a measure: it
# stands in place of the column's.
Full = tuple[Trial | None, Published] | tuple[Trial | None, Published, Use]
Entry = Trial | Full  # a trial alone: nobody has printed a number


def percent(
    name: str, better: Literal["higher", "lower"] = "higher", measure: Use | None = None
) -> Metric:
    """A share, shown in percent; differences of it are percentage points."""
    return Metric(name, "%", 100.0, better, measure=measure)


def error(name: str, measure: Use | None = None) -> Metric:
    """What an accuracy leaves of 100 %: the top-1 error of `test.accuracy`."""
    return Metric(name, "%", -100.0, "lower", offset=100.0, measure=measure)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table typed as it is printed. `baseline` is the row, or the column, that gains refer to."""

    title: str
    paper: str = ""  # its key in published.csv, and the table's; none for a table of one's own
    table: str = ""
    rows: Mapping[str, Entry | Mapping[str, Entry]]  # one entry: a table of one column
    columns: Mapping[str, Metric] = field(
        default_factory=lambda: {"accuracy": percent("test.accuracy")}
    )
    baseline: str
    selection: str = "best_validation"  # the rule of selection.RULES that is reported by
    # What the paper leaves open, in words; what its recipes assume, they say themselves.
    assumed: tuple[str, ...] = ()
    # By row, the settings that make it that row: a search leaves them as they are.
    fixed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    searches_data: bool = False  # whether the size of the meta-set is among what is searched
    seeds: int = 3
    # None: the trials have no counterparts on digits, and run as written at any scale.
    demo: Callable[[Trial], Trial] | None = demo
    # From the rows' trials and the data folder to the rows and columns that the data cannot have,
    # with the reason. Raises Invalid for data that no row can be trained on.
    unsupported: Callable[[Mapping[str, Trial], Path], dict[str, str]] | None = None

    def scale(self, asked: Scale) -> Scale:
        """The scale that the trials are of."""
        return asked if self.demo else "paper"

    def cells(self) -> Iterator[tuple[str, str, Trial | None, Published]]:
        """(row, column, trial, published) of every cell, in reading order."""
        for row, entries in self.rows.items():
            for column, (trial, published, *_) in self._entries(entries).items():
                yield row, column, trial, published

    def at(self, scale: Scale) -> Iterator[tuple[str, str, Trial | None, Published]]:
        """The cells with their trials at that scale."""
        for row, column, trial, published in self.cells():
            small = self.demo if scale == "demo" else None
            yield row, column, small(trial) if trial and small else trial, published

    def measures(self, scale: Scale) -> dict[tuple[str, str], Use]:
        """What is computed of each (row, column) whose number does not stand in the history.

        Raises Invalid where an entry's own measure gives no value of the column's name.
        """
        found = {}
        for row, entries in self.rows.items():
            for column, (trial, _, *own) in self._entries(entries).items():
                metric = self.columns[column]
                measure = own[0] if own else metric.measure
                if trial and measure:
                    check_given(measure, metric.name)
                    small = self.demo and scale == "demo"
                    found[row, column] = measure.demo() if small else measure
        return found

    def _entries(self, entries: Entry | Mapping[str, Entry]) -> Mapping[str, Full]:
        """By column."""
        if not isinstance(entries, Mapping):
            entries = {next(iter(self.columns)): entries}
        return {c: (e, None) if isinstance(e, Trial) else e for c, e in entries.items()}


def grids() -> list[str]:
    """The names of all grids: kesl_ablation is the file kesl/ablation.py beside this one.

    A folder whose tables begin with another word than its own name says so as PREFIX.
    """
    return sorted(_modules())


def find(name: str) -> Grid:
    """The grid of that name, or of the file at that path. Raises Invalid for an unknown one."""
    modules = _modules()
    if name not in modules:
        from study.grids import from_file  # which needs this module

        if name.endswith(SUFFIX):
            return from_file.load(name)
        if own := from_file.loaded(name):
            return own
        raise unknown("--grid", name, sorted(modules))
    grid: Grid = importlib.import_module(modules[name]).grid
    return grid


def name_of(grid: str) -> str:
    """What a grid is called: its name, or that of its file without the ending."""
    return Path(grid).stem if grid.endswith(SUFFIX) else grid


def _modules() -> dict[str, str]:
    """The module of each grid, by the grid's name: a folder a paper, in it a file a table."""
    package = importlib.import_module("study.grids")
    found = {}
    for module in pkgutil.walk_packages(package.__path__, "study.grids."):
        paper, _, table = module.name.removeprefix("study.grids.").partition(".")
        if table and not table.startswith("_"):
            folder = importlib.import_module(f"study.grids.{paper}")
            found[f"{getattr(folder, 'PREFIX', paper)}_{table}"] = module.name
    return found
