"""Grid: a published table as trials; Plan: the same with the ids of what is to be run."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Annotated, Any, Literal

from trainables.measures.measure import Measure, flat, label
from trainables.settings import Invalid, Of, Use, checked, unknown
from trainables.trial import Recipe, Trial, map_settings

Scale = Literal["demo", "paper"]
Published = float | tuple[float, float] | None  # mean, or mean and standard deviation, as printed
# A cell as it is typed. No trial: a number of other authors, never run here. With a measure: it
# stands in place of the column's.
Entry = tuple[Trial | None, Published] | tuple[Trial | None, Published, Use]

DEMO_EPOCHS = 40
DEMO_BATCH = 16
DEMO_IMAGES = 15  # a class


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
        words = self.name.replace(".", " ")
        return words.replace("accuracy", "error") if self.factor < 0 else words


def check_given(measure: Use, name: str) -> None:
    """Raises Invalid for what is no measure, or one that gives no value of that name."""
    checked("measure", measure, Annotated[Use, Of(Measure)])
    if name not in measure.part.gives:
        raise unknown(f"{measure.name}: value", name, measure.part.gives)


def percent(
    name: str, better: Literal["higher", "lower"] = "higher", measure: Use | None = None
) -> Metric:
    """A share, shown in percent; differences of it are percentage points."""
    return Metric(name, "%", 100.0, better, measure=measure)


def error(name: str, measure: Use | None = None) -> Metric:
    """What an accuracy leaves of 100 %: the top-1 error of `test.accuracy`."""
    return Metric(name, "%", -100.0, "lower", offset=100.0, measure=measure)


def demo(trial: Trial, rate: float = 1.0) -> Trial:
    """`trial` on the embedded digits, with a few images a class: seconds on one core.

    Every part is replaced by its own counterpart (its class's `demo`), lengths are scaled to
    DEMO_EPOCHS, and the learning rate is multiplied by `rate`. Number formats are fixed, so that
    a demo trial is the same one on every machine; these are the fastest (docs/LOG.md).
    """
    trial = map_settings(trial, lambda part: part.demo() if isinstance(part, Use) else part)
    recipe = trial.recipe
    shrink = DEMO_EPOCHS / recipe.epochs
    return trial.but(
        data=trial.data.but(train_per_class=DEMO_IMAGES, validation=0.1),
        recipe=recipe.but(
            epochs=DEMO_EPOCHS,
            batch_size=DEMO_BATCH,
            lr=recipe.lr * rate,
            milestones=tuple(shrink * milestone for milestone in recipe.milestones),
            warmup_epochs=shrink * recipe.warmup_epochs,
            precision="float32",
            memory_format="channels_last",
            keep=min(recipe.keep, DEMO_EPOCHS),
            assumed=(),  # no paper has this recipe
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table typed as it is printed. `baseline` is the row, or the column, that gains refer to."""

    title: str
    paper: str  # its key in published.csv, and the table's
    table: str
    columns: Mapping[str, Metric]
    rows: Mapping[str, Entry | Mapping[str, Entry]]  # one entry: a table of one column
    baseline: str
    selection: str  # the rule of selection.RULES that the paper reports by
    # What the paper leaves open, in words; what its recipes assume, they say themselves.
    assumed: tuple[str, ...] = ()
    # By row, the settings that make it that row: a search leaves them as they are.
    fixed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seeds: int = 3
    demo: Callable[[Trial], Trial] = demo

    def cells(self) -> Iterator[tuple[str, str, Trial | None, Published]]:
        """(row, column, trial, published) of every cell, in reading order."""
        for row, entries in self.rows.items():
            for column, (trial, published, *_) in self._entries(entries).items():
                yield row, column, trial, published

    def at(self, scale: Scale) -> Iterator[tuple[str, str, Trial | None, Published]]:
        """The cells with their trials at that scale."""
        for row, column, trial, published in self.cells():
            yield row, column, self.demo(trial) if trial and scale == "demo" else trial, published

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
                    found[row, column] = measure.demo() if scale == "demo" else measure
        return found

    def _entries(self, entries: Entry | Mapping[str, Entry]) -> Mapping[str, Entry]:
        """By column."""
        return {next(iter(self.columns)): entries} if isinstance(entries, tuple) else entries


def grids() -> list[str]:
    """The names of all grids: the files of study/grids."""
    package = importlib.import_module("study.grids")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name[0] != "_")


def find(name: str) -> Grid:
    """The grid of that name. Raises Invalid for an unknown one."""
    if name not in grids():
        raise unknown("--grid", name, grids())
    grid: Grid = importlib.import_module(f"study.grids.{name}").grid
    return grid


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

    def trials(self) -> list[str]:
        """The ids of all trials, each once, in the order of the table."""
        return list(dict.fromkeys(i for c in self.cells for i in c.trials.values() if i))

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


def lay_out(
    name: str,
    scale: Scale,
    seeds: int | None,
    overrides: tuple[str, ...],
    resolve: Callable[[Trial], tuple[Trial, str | None]],
    prepared: Callable[[Use], Use | None] = lambda measure: measure,
) -> tuple[Plan, dict[Trial, str | None]]:
    """The plan of a study of the grid `name`, and its distinct trials with their ids.

    `resolve` makes a trial ready and gives its id, or None where that is not known; `prepared`
    gives a measure with the checksums of its files, or None. Raises Invalid for an unknown grid,
    for an override `field=value` that is wrong, or that no row has, and for a measure that does not
    suit its trial.
    """
    grid = find(name)
    wanted = grid.measures(scale)
    trials: dict[Trial, str | None] = {}
    measures: dict[str, dict[str, Any]] = {}
    cells = []
    table = changed(name, scale, overrides)
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
        study=study_name(name, scale, overrides),
        grid=name,
        title=grid.title,
        paper=f"{grid.paper}, {grid.table}",
        scale=scale,
        overrides=overrides,
        columns={name: replace(metric, measure=None) for name, metric in grid.columns.items()},
        baseline=grid.baseline,
        selection=grid.selection,
        assumed=(*assumptions((t.recipe for _, _, t, _ in table if t), overrides), *grid.assumed),
        cells=tuple(cells),
        measures=measures,
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
    name: str, scale: Scale, overrides: tuple[str, ...]
) -> list[tuple[str, str, Trial | None, Published]]:
    """The cells of the grid `name` at that scale, with the overrides in their trials."""
    table = list(find(name).at(scale))
    rows: dict[Trial, str] = {}
    for row, _, trial, _ in table:
        if trial:
            rows.setdefault(trial, row)
    now = _overridden(rows, overrides)
    return [
        (row, column, now[trial] if trial else None, published)
        for row, column, trial, published in table
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
    return Cell(row=row, column=column, trials=ids, published=pair, settings=settings), trials


def study_name(grid: str, scale: Scale, overrides: tuple[str, ...]) -> str:
    """One study for each grid, scale and set of overrides: the same command finds it again."""
    changes = sha256("\n".join(sorted(overrides)).encode()).hexdigest()[:8]
    return f"{grid}.{scale}.{changes}" if overrides else f"{grid}.{scale}"


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
