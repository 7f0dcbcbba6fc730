"""Settings that are checked when they are written: records, and classes with their keywords.

A setting's type and range stand in its annotation, `Annotated[float, Interval("[0, 1]")]`, and
nowhere else. `Record` (a frozen dataclass) and `Use` (a class and its keywords) check against it.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, Self, get_type_hints

from trainables.settings.adopted import adopted, source_of
from trainables.settings.checksums import Names, Read, checksum
from trainables.settings.invalid import Invalid, unknown
from trainables.settings.ranges import checked


class Suggest(Protocol):
    """What a class's `suggest` asks for values; an Optuna trial is one."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


class Record:
    """Base of frozen dataclasses whose fields are checked. Raises Invalid where one is wrong."""

    def __post_init__(self) -> None:
        hints = kinds_of(type(self))
        for name, value in vars(self).copy().items():
            field = f"{type(self).__name__.lower()}.{name}"
            object.__setattr__(self, name, checked(field, value, hints[name]))

    def settings(self) -> Iterator[tuple[str, Any, Any]]:
        """(name, value, default) of each field that takes part in comparisons."""
        for f in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            if f.compare:
                yield f.name, getattr(self, f.name), f.default

    def but(self, **changes: Any) -> Self:
        """The same record with some fields replaced. Raises Invalid for an unknown field."""
        names = list(vars(self))
        for name in changes:
            if name not in names:
                raise unknown(f"{type(self).__name__.lower()}: field", name, names)
        return type(self)(**{**vars(self), **changes})


def keywords_of(part: type) -> Mapping[str, inspect.Parameter]:
    """The keyword-only parameters of a class: what may be set; the others come at run time."""
    return _keywords(part)


def kinds_of(owner: type) -> Mapping[str, Any]:
    """The annotation of each setting of a record's or part's class."""
    return _kinds(owner)


@functools.cache  # a table of a hundred trials asks for them some ten thousand times
def _keywords(part: type) -> Mapping[str, inspect.Parameter]:
    parameters = inspect.signature(part, eval_str=True).parameters.values()
    found = {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    return MappingProxyType(found)


@functools.cache
def _kinds(owner: type) -> Mapping[str, Any]:
    if issubclass(owner, Record):
        return MappingProxyType(get_type_hints(owner, include_extras=True))
    return {name: keyword.annotation for name, keyword in keywords_of(owner).items()}


@dataclass(frozen=True, init=False, repr=False)
class Use:
    """A class with all its keywords, those left out at their defaults.

    Two optional class methods of the class are asked: `check(**keywords)` raises Invalid for values
    that do not go together; `files(folder, **keywords)` gives, by keyword, the path of the file
    that it names, or the Files that are read of a folder. Raises Invalid for an unknown, missing,
    ill-typed or out-of-range keyword.
    """

    part: type[Any]
    items: tuple[tuple[str, Any], ...]
    checksums: tuple[tuple[str, str], ...] | None

    def __init__(self, part: type[Any], /, **keywords: Any) -> None:
        valid = keywords_of(part)
        for name in keywords:
            if name not in valid:
                raise unknown(f"{part.__name__}: setting", name, valid)
        full = {}
        for name, parameter in valid.items():
            value = keywords.get(name, parameter.default)
            if value is inspect.Parameter.empty:
                raise Invalid(f"{part.__name__}.{name} is missing: it has no default")
            full[name] = checked(f"{part.__name__}.{name}", value, parameter.annotation)
        if hasattr(part, "check"):
            part.check(**full)
        self._fill(part, tuple(full.items()), None)

    def _fill(self, *values: Any) -> None:
        for f, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, f.name, value)

    def __repr__(self) -> str:
        changed = (
            f"{name}={value!r}" for name, value, default in self.settings() if value != default
        )
        return f"{self.name}({', '.join(changed)})"

    def __getitem__(self, name: str) -> Any:
        return dict(self.items)[name]

    @property
    def name(self) -> str:
        return self.part.__name__

    @property
    def source(self) -> str | None:
        """What identifies the source of a class of the user's own; None for one of ours."""
        return source_of(self.part)

    def settings(self) -> Iterator[tuple[str, Any, Any]]:
        """(name, value, default) of each keyword."""
        valid = keywords_of(self.part)
        return ((name, value, valid[name].default) for name, value in self.items)

    def but(self, **keywords: Any) -> "Use":
        """The same class with these keywords changed; checksums are forgotten."""
        return Use(self.part, **{**dict(self.items), **keywords})

    def build(self, *arguments: Any) -> Any:
        return self.part(*arguments, **dict(self.items))

    def files(self, folder: Path) -> Mapping[str, Read]:
        """What each keyword of that kind names; relative paths lie under `folder`."""
        if not hasattr(self.part, "files"):
            return {}
        files: Mapping[str, Read] = self.part.files(folder, **dict(self.items))
        return files

    def resolved(self, folder: Path, names: Names = tuple) -> "Use":
        """The same with the checksum of each of its files. Raises Missing where one is."""
        if not hasattr(self.part, "files"):
            return self  # so that it still equals a default that was never resolved
        sums = {name: checksum(path, names) for name, path in self.files(folder).items()}
        copy = object.__new__(Use)
        copy._fill(self.part, self.items, tuple(sums.items()))
        return copy

    def demo(self) -> "Use":
        """Its counterpart on the embedded digits: what the class's own `demo` says, or itself."""
        counterpart: Use = self.part.demo(self) if hasattr(self.part, "demo") else self
        return counterpart


def classes_of(kind: type) -> dict[str, type]:
    """Every class of the kind, by name: in the files beside the kind's own, and the adopted."""
    package = kind.__module__.rpartition(".")[0]
    found = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        for cls in vars(importlib.import_module(module.name)).values():
            own = isinstance(cls, type) and cls.__module__ == module.name
            if own and issubclass(cls, kind) and not inspect.isabstract(cls):
                found[cls.__name__] = cls
    theirs = {name: cls for name, cls in adopted().items() if issubclass(cls, kind)}
    return found | {name: cls for name, cls in theirs.items() if not inspect.isabstract(cls)}


Setting = Record | Use
