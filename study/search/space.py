"""Space: what may be searched of a row of a table, and which rows share one search."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainables.data.spec import DataSpec
from trainables.recipe import Recipe
from trainables.settings import Record, Suggest, Use, branches
from trainables.trial import Trial

FIRST_SEED = 1000  # of searched trials; a table's seeds are below
HELD_OUT = 0.1  # of the training images, at least

PARTS = ("head", "targets", "loss", "method")
RECORDS: dict[str, type[Record]] = {"recipe": Recipe, "data": DataSpec}
KINDS: dict[str, tuple[str, ...]] = {  # by --search-space: the fields of a trial that are searched
    "both": (*PARTS, "recipe"),
    "parts": PARTS,
    "recipe": ("recipe",),
}


@dataclass(frozen=True)
class Space:
    """What may be searched of a trial: what its parts and recipe suggest, but for what is fixed."""

    trial: Trial
    kinds: tuple[str, ...]
    fixed: tuple[str, ...] = ()  # dotted names

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Each free setting that any branch of `suggest` asks for, with its range in words."""
        ranges: dict[str, dict[str, None]] = {}
        for kind in self._searched():
            for explorer, _ in branches(self._suggester(kind)):
                for name, words in explorer.asked.items():
                    ranges.setdefault(name, {})[words] = None
        return {name: " or ".join(words) for name, words in ranges.items()}

    @cached_property
    def neutral(self) -> Trial:
        """The trial with its free settings at values that say nothing of the row it came from."""
        first = {kind: next(branches(self._suggester(kind)))[1] for kind in self._searched()}
        return self._with(first)

    def at(self, suggest: Suggest) -> Trial:
        """The trial with the settings that are suggested."""
        return self._with({kind: self._suggester(kind)(suggest) for kind in self._searched()})

    def batch(self, fuse: int, seeds: int) -> int:
        """So many points of as many seeds are trained at once, where `fuse` trials may be one net.

        Those of other recipes may not.
        """
        alike = all(name.partition(".")[0] in PARTS for name in self.parameters)
        return max(1, fuse // seeds) if alike else 1

    def _searched(self) -> Iterator[str]:
        return (kind for kind in self.kinds if hasattr(_class_of(self.trial, kind), "suggest"))

    def _suggester(self, kind: str) -> Callable[[Suggest], dict[str, Any]]:
        suggest = _class_of(self.trial, kind).suggest
        values = dict(settings_of(self.trial, kind))
        fixed = {name: values[name] for name in values if f"{kind}.{name}" in self.fixed}
        return lambda trial: suggest(_Within(trial, kind, fixed))

    def _with(self, values: Mapping[str, Mapping[str, Any]]) -> Trial:
        now: dict[str, Record | Use] = {}
        for kind, suggested in values.items():
            if kind in RECORDS:
                now[kind] = getattr(self.trial, kind).but(**suggested)
            else:  # a setting that this branch does not ask for is at its default
                items = settings_of(self.trial, kind)
                kept = {n: v for n, v in items if f"{kind}.{n}" not in self.parameters}
                now[kind] = Use(_class_of(self.trial, kind), **{**kept, **suggested})
        return self.trial.but(**now)


def _class_of(trial: Trial, kind: str) -> type[Any]:
    return RECORDS.get(kind) or getattr(trial, kind).part


def settings_of(trial: Trial, kind: str) -> list[tuple[str, Any]]:
    """The settings, and their values, of a part or a record."""
    return [(name, value) for name, value, _ in getattr(trial, kind).settings()]


@dataclass(frozen=True)
class _Within:
    """A Suggest whose names get a prefix; those that are fixed have their value."""

    trial: Suggest
    prefix: str
    fixed: Mapping[str, Any]

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        if name in self.fixed:
            return float(self.fixed[name])
        return self.trial.suggest_float(f"{self.prefix}.{name}", low, high, step=step, log=log)

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        if name in self.fixed:
            return int(self.fixed[name])
        return self.trial.suggest_int(f"{self.prefix}.{name}", low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        if name in self.fixed:
            return self.fixed[name]
        return self.trial.suggest_categorical(f"{self.prefix}.{name}", choices)


def searched(trial: Trial, seed: int) -> Trial:
    """As a search trains it: without test images, with validation images, with its own seed."""
    held_out = max(trial.data.validation, HELD_OUT)
    return trial.but(data=trial.data.but(test=False, validation=held_out), seed=seed)
