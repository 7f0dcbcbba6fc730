"""What comes of searches: progress, the tuned cells of a plan, the best configuration in words."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TextIO

from analysis.plan import Cell, Plan
from study.grids.lay_out import cell_of
from study.progress import ProgressLines
from study.search.points import Ready
from study.search.search import Search
from study.search.space import PARTS, Space, settings_of
from trainables.settings import Use
from trainables.trial import Trial

SHOWN = 8  # so many searches have numbers of their own in a line


def tuned(
    plan: Plan, searches: Sequence[Search], seeds: int, ready: Ready
) -> tuple[Plan, dict[Trial, str | None]]:
    """The plan with a cell for each search that is over and has a winner, and their trials."""
    cells: list[Cell] = []
    trials: dict[Trial, str | None] = {}
    for search in searches:
        if search.over and search.best:
            what = search.what
            cell, made = cell_of(what.label, what.column, search.winner(), None, seeds, ready)
            first = next(c for c in plan.cells if (c.row, c.column) == (what.rows[0], what.column))
            like = replace(cell, measure=first.measure)
            cells.append(replace(like, tunes=what.rows, budget=search.budget))
            trials |= made
    labels = list(dict.fromkeys(cell.row for cell in cells))
    cells.sort(key=lambda cell: labels.index(cell.row))  # a row's cells side by side
    return replace(plan, cells=(*plan.cells, *cells)), trials


def literal(trial: Trial, space: Space) -> str:
    """What is to be written in a grid, with the row's own trial as `base`."""
    changes = []
    for kind in PARTS:
        use: Use = getattr(trial, kind)
        if use != getattr(space.trial, kind):
            settings = [f"{n}={v!r}" for n, v, default in use.settings() if v != default]
            changes.append(f"{kind}=Use({', '.join([use.name, *settings])})")
    names = [
        name for name, value in settings_of(trial, "recipe") if f"recipe.{name}" in space.parameters
    ]
    if names:
        values = ", ".join(f"{name}={getattr(trial.recipe, name)!r}" for name in names)
        changes.append(f"recipe=base.recipe.but({values})")
    return f"base.but({', '.join(changes)})"


def summary(search: Search) -> dict[str, Any]:
    """A search in plain data: what it was, every point, and the best one to paste into a grid."""
    best = search.best
    return {
        "search": search.name,
        "label": search.what.label,
        "column": search.what.column,
        "rows": list(search.what.rows),
        "space": search.what.space.parameters,
        "sampler": search.options.sampler,
        "pruner": search.options.pruner,
        "budget": search.budget,
        "exhausted": search.exhausted,
        "points": search.points(),
        "best": best and best.params,
        "value": best and best.value,
        "literal": literal(search.winner(), search.what.space) if best and search.over else None,
    }


def lines(searches: Sequence[Search]) -> Iterator[str]:
    """Of each search that has a winner: its value, and the configuration to paste."""
    for one in searches:
        if one.over and one.best:
            end = f", exhausted after {one.spent} points" if one.exhausted else ""
            end += f", {len(one.pruned)} points pruned: {one.budget}" if one.pruned else ""
            yield f"{one.what.label}: validation accuracy {one.best.value:.2%}{end}"
            yield f"  {literal(one.winner(), one.what.space)}"


class SearchProgress(ProgressLines):
    """How far the searches are."""

    def __init__(self, searches: Sequence[Search], out: TextIO) -> None:
        super().__init__(out)
        self._searches = searches

    def line(self) -> str:
        if len(self._searches) > SHOWN:
            told = sum(search.told for search in self._searches)
            wanted = sum(search.options.points for search in self._searches)
            return (
                f"[{self.clock()}] {told}/{wanted} points told, in {len(self._searches)} searches"
            )
        parts = [f"{search.told}/{search.options.points}" for search in self._searches]
        best = [f"{s.best.value:.2%}" if s.best else "none" for s in self._searches]
        return f"[{self.clock()}] points told: {', '.join(parts)}; best: {', '.join(best)}"
