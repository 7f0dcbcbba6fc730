"""Outcome: what a study has come to, to be read in Python."""

from dataclasses import dataclass, field
from pathlib import Path

from pandas import DataFrame

from analysis import runs, tables
from analysis.plan import Plan


@dataclass(frozen=True)
class Outcome:
    """A study's table and report; a notebook shows the table.

    `table` has a row a cell, as `analysis.comparison.compare` gives it; `report` is the HTML page.
    Where the tracker was away, `table` is empty and `report` None. `complete`: no trial, measure or
    search is lacking or has failed. `lacks` says of each that has no result why.
    """

    plan: Plan
    tracking_uri: str
    complete: bool
    report: Path | None = None
    table: DataFrame = field(default_factory=DataFrame)
    lacks: tuple[str, ...] = ()

    def trials(self) -> DataFrame:
        """A row a trial: state, settings, metrics. Raises Invalid where the tracker is away."""
        return runs.trials(self.tracking_uri, self.plan.trials())

    def _repr_html_(self) -> str | None:
        return tables.html(self.plan, self.table) if self.report else None
