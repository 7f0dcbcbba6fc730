"""Lay out: a grid as a plan of trials with ids."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from analysis.plan import Cell, Plan, Scale
from study.grids.grid import Inferred, Published, find, name_of
from trainables.measures.measure import flat, label
from trainables.recipe import Recipe
from trainables.settings import Invalid, Use, unknown
from trainables.trial import Trial

NOTHING: Mapping[str, str] = MappingProxyType({})


def lay_out(
    name: str,
    scale: Scale,
    seeds: int | None,
    overrides: tuple[str, ...],
    resolve: Callable[[Trial], tuple[Trial, str | None]],
    prepared: Callable[[Use], Use | None] = lambda measure: measure,
    left_out: Mapping[str, str] = NOTHING,
) -> tuple[Plan, dict[Trial, str | None]]:
    """The plan of a study of the grid `name`, and its distinct trials with their ids.

    `resolve` makes a trial ready and gives its id, or None where that is not known; `prepared`
    gives a measure with the checksums of its files, or None. `left_out` are the rows and columns
    that the data do not support, with the reason. Raises Invalid for an unknown grid, for an
    override `field=value` that is wrong, or that no row has, and for a measure that does not suit
    its trial.
    """
    grid = find(name)
    scale = grid.scale(scale)
    wanted = grid.measures(scale)
    trials: dict[Trial, str | None] = {}
    measures: dict[str, dict[str, Any]] = {}
    cells = []
    table = changed(name, scale, overrides, left_out)
    for row, column, own, published in table:
        cell, of_seeds = cell_of(row, column, own, published, seeds or grid.seeds, resolve)
        if own and (measure := wanted.get((row, column))):
            measure.part.suits(own, **dict(measure.items))
            known = prepared(measure)
            cell = replace(cell, measure=label(known) if known else repr(measure))
            measures[cell.measure] = flat(known or measure)
        cells.append(cell)
        trials |= of_seeds
    plan = Plan(
        study=study_name(name, scale if grid.demo else None, overrides),
        grid=name_of(name),
        title=grid.title,
        paper=", ".join(filter(None, (grid.paper, grid.table))),
        scale=scale,
        overrides=overrides,
        columns={
            name: replace(metric, measure=None)
            for name, metric in grid.columns.items()
            if name not in left_out
        },
        baseline=grid.baseline,
        selection=grid.selection,
        assumed=(*assumptions((t.recipe for _, _, t, _ in table if t), overrides), *grid.assumed),
        cells=tuple(cells),
        measures=measures,
        left_out=dict(left_out),
    )
    return plan, trials


def assumptions(recipes: Iterable[Recipe], overrides: tuple[str, ...]) -> tuple[str, ...]:
    """What recipes assume, each field and value once; not what an override has set."""
    names = (override.partition("=")[0].split(".") for override in overrides)
    overridden = {path[1] for path in names if path[0] == "recipe" and len(path) > 1}
    found: dict[str, dict[str, None]] = {}  # by where a recipe is printed, in order
    for recipe in recipes:
        fields = found.setdefault(recipe.paper, {})
        for name in recipe.assumed:
            if name not in overridden:
                fields[f"{name.replace('_', ' ')} {_words(getattr(recipe, name))}"] = None
    return tuple(
        f"in the recipe of {paper or 'the paper'}, SGD with {', '.join(fields)}"
        for paper, fields in found.items()
        if fields
    )


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(_words, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def changed(
    name: str, scale: Scale, overrides: tuple[str, ...], left_out: Collection[str] = ()
) -> list[tuple[str, str, Trial | None, Published]]:
    """The cells of the grid `name` at that scale, with the overrides in their trials.

    But for the rows and columns in `left_out`.
    """
    table = list(find(name).at(scale))
    rows: dict[Trial, str] = {}
    for row, _, trial, _ in table:
        if trial:
            rows.setdefault(trial, row)
    now = _overridden(rows, overrides)
    return [
        (row, column, now[trial] if trial else None, published)
        for row, column, trial, published in table
        if row not in left_out and column not in left_out
    ]


def cell_of(
    row: str,
    column: str,
    trial: Trial | None,
    published: Published,
    seeds: int,
    resolve: Callable[[Trial], tuple[Trial, str | None]],
) -> tuple[Cell, dict[Trial, str | None]]:
    """A cell, and its trial with each of the seeds, ready, with its id."""
    trials = dict(resolve(trial.but(seed=seed)) for seed in range(seeds)) if trial else {}
    ids = {str(ready.seed): trial_id for ready, trial_id in trials.items()}
    pair = published if isinstance(published, tuple) or published is None else (published, None)
    settings = trial.flat() if trial else {}
    cell = Cell(
        row=row,
        column=column,
        trials=ids,
        published=pair,
        settings=settings,
        inferred=isinstance(published, Inferred),
    )
    return cell, trials


def study_name(grid: str, scale: Scale | None, overrides: tuple[str, ...]) -> str:
    """One study for each grid, scale and set of overrides: the same command finds it again.

    A grid without demo has one scale, which has no name (None).
    """
    changes = sha256(os.fsencode("\n".join(sorted(overrides)))).hexdigest()[:8]
    return ".".join(filter(None, (name_of(grid), scale, changes if overrides else "")))


def _overridden(rows: Mapping[Trial, str], overrides: tuple[str, ...]) -> dict[Trial, Trial]:
    """Each trial with the overrides for which it has the setting; `rows` are its rows' names."""
    values = {}
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals:
            raise Invalid(f"--set {override!r}: must be field=value, like targets.temperature=5")
        if name == "seed":
            raise Invalid(f"--set {override!r}: must be a setting; seeds are given by --seeds")
        values[name] = value
    parts = {name: value for name, value in values.items() if "." not in name}
    settings = {name: value for name, value in values.items() if "." in name}
    swapped = {trial: _set(row, trial, parts) for trial, row in rows.items()}
    known = dict.fromkeys(name for trial in swapped.values() for name in trial.flat())
    for name in settings:
        if not _has(known, name):
            raise unknown("--set: field", name, known)
    return {
        trial: _set(rows[trial], now, {n: v for n, v in settings.items() if _has(now.flat(), n)})
        for trial, now in swapped.items()
    }


def _set(row: str, trial: Trial, values: Mapping[str, str]) -> Trial:
    """Raises Invalid with the row's name: --set is for every row, whatever --only selects."""
    try:
        return trial.set(values)
    except Invalid as error:
        raise Invalid(f"--set in row {row!r}: {error}") from error


def _has(flat: Mapping[str, Any], name: str) -> bool:
    """Whether there is a setting of that name: a value, or a part or tuple with settings in it."""
    return any(key == name or key.startswith(f"{name}.") for key in flat)
