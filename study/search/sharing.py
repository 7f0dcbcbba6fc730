"""Sharing: which rows of a grid are tuned by one search."""

import ast
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.plan import Scale
from study.grids.grid import find
from study.grids.lay_out import changed
from study.search.space import (
    KINDS,
    PARTS,
    Space,
)
from trainables.heads.linear import Linear
from trainables.methods.method import Method
from trainables.settings import Invalid, unknown
from trainables.trial import Trial

UNSAID = {"head": Linear, "method": Method}  # parts that need no word


@dataclass(frozen=True, kw_only=True)
class SharedSearch:
    """A space, and the rows of one column that it is the space of: they are tuned together."""

    label: str  # of the tuned row
    column: str
    rows: tuple[str, ...]
    space: Space

    def __str__(self) -> str:
        """In a line: what it tunes, over which space."""
        space = ", ".join(f"{name} ({words})" for name, words in self.space.parameters.items())
        rows = f"{len(self.rows)} rows" if len(self.rows) > 1 else self.rows[0]
        return f"search of {self.column}, {self.label} ({rows}) over {space}"


def shared(
    cells: Sequence[tuple[str, str, Trial | None]],
    fixed: Mapping[str, tuple[str, ...]],
    kinds: str,
    with_data: bool = False,
) -> list[SharedSearch]:
    """The searches over the cells (row, column, trial) of a table, by what may be searched.

    `with_data`: of trials with a meta-set, what the data suggest, too.
    """
    groups: dict[tuple[Any, ...], tuple[Space, list[str]]] = {}
    for row, column, trial in cells:
        if trial is not None:
            sized = with_data and trial.data.meta_per_class is not None
            space = Space(trial, (*KINDS[kinds], *["data"] * sized), fixed.get(row, ()))
            key = (column, space.neutral, tuple(space.parameters.items()))
            groups.setdefault(key, (space, []))[1].append(row)
    one_column = len({column for _, column, _ in cells}) == 1
    words = {key: _words(space) if one_column else rows[0] for key, (space, rows) in groups.items()}
    often = Counter((key[0], text) for key, text in words.items())
    return [
        SharedSearch(
            label=f"tuned: {text}" + f" ({rows[0]})" * (often[key[0], text] > 1),
            column=key[0],
            rows=tuple(rows),
            space=space,
        )
        for (key, (space, rows)), text in zip(groups.items(), words.values(), strict=True)
    ]


def _words(space: Space) -> str:
    """The parts in which trials differ, and what is fixed of them."""
    said = []
    for kind in PARTS:
        use = getattr(space.trial, kind)
        if use.part is not UNSAID.get(kind):
            fixed = [
                f"{n}={v:g}" if isinstance(v, float) else f"{n}={v}"
                for n, v in use.items
                if f"{kind}.{n}" in space.fixed
            ]
            said.append(f"{use.name}({', '.join(fixed)})" if fixed else use.name)
    return " + ".join(said)


def searches_of(
    grid: str,
    scale: Scale,
    overrides: tuple[str, ...],
    kinds: str,
    only: Sequence[str],
    left_out: Collection[str] = (),
) -> list[SharedSearch]:
    """The searches of a study: of all rows that offer something, or of those in `only`.

    What an override sets stays as it is; rows and columns in `left_out` are not there. Raises
    Invalid where there is nothing to search.
    """
    cells = [cell[:3] for cell in changed(grid, scale, overrides, left_out)]
    set_by_hand = tuple(name for override in overrides for name in _written(override))
    rows = [row for row, *_ in cells]
    for row in only:
        if row not in rows:
            raise unknown("--only: row", row, dict.fromkeys(rows))
    fixed = {row: find(grid).fixed.get(row, ()) + set_by_hand for row, *_ in cells}
    found = shared(cells, fixed, kinds, find(grid).searches_data)
    wanted = [what for what in found if not only or set(what.rows) & set(only)]
    if not wanted:
        raise Invalid(f"--search: row {only[0]!r} is of other authors: there is nothing to search")
    idle = [what.rows[0] for what in wanted if not what.space.parameters]
    if idle and (only or len(idle) == len(wanted)):
        raise Invalid(
            f"--search: row {idle[0]!r} offers nothing to search in --search-space {kinds}: give "
            "another space, or other rows by --only"
        )
    return [what for what in wanted if what.space.parameters]


def _written(override: str) -> list[str]:
    """The settings that it names: those of a part are the keywords in it, as in Smooth(epsilon=1).

    The others of that part are searched.
    """
    name, _, value = override.partition("=")
    if name not in PARTS:
        return [name]
    call = ast.parse(value, mode="eval").body
    return [f"{name}.{keyword.arg}" for keyword in getattr(call, "keywords", ())]
