"""Settings that are checked when they are written: records, and classes with their keywords.

A setting's type and range stand in its annotation, `Annotated[float, Interval("[0, 1]")]`, and
nowhere else. `Record` (a frozen dataclass) and `Use` (a class and its keywords) check against it.
"""

import functools
import hashlib
import importlib
import inspect
import math
import os
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    Self,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)


class Invalid(ValueError):
    """A setting that cannot be used: one line with the field, the value and what would be valid."""


@dataclass(frozen=True)
class Interval:
    """The range of a number as mathematicians write it: "[0, 1]", "(0, 1)", "[1, inf)"."""

    text: str

    def __contains__(self, value: float) -> bool:
        low, high = (float(end) for end in self.text[1:-1].split(","))
        above = value >= low if self.text[0] == "[" else value > low
        below = value <= high if self.text[-1] == "]" else value < high
        return above and below


@dataclass(frozen=True)
class Of:
    """The base class that the class of a Use must have."""

    kind: type


class Suggest(Protocol):
    """What a class's `suggest` asks for values; an Optuna trial is one."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


Fraction = Annotated[float, Interval("[0, 1]")]
Weight = Annotated[float, Interval("[0, inf)")]
Positive = Annotated[float, Interval("(0, inf)")]
Count = Annotated[int, Interval("[1, inf)")]


def checked(field: str, value: Any, annotation: Any) -> Any:
    """`value` as `annotation` wants it (an int becomes a float), or Invalid naming `field`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        value = checked(field, value, arguments[0])
        for demand in arguments[1:]:
            if isinstance(demand, Interval) and value not in demand:
                raise Invalid(f"{field} = {value!r}: must lie in {demand.text}")
            if isinstance(demand, Of) and not issubclass(value.part, demand.kind):
                raise Invalid(f"{field} = {value!r}: must use a {demand.kind.__name__}")
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        options = [option for option in arguments if option is not NoneType]
        for option in options[:-1]:
            try:
                return checked(field, value, option)
            except Invalid:
                continue
        return checked(field, value, options[-1])
    if origin is Literal:
        if value not in arguments:
            raise Invalid(f"{field} = {value!r}: must be one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, tuple | list):
            raise Invalid(f"{field} = {value!r}: must be a tuple")
        kinds = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        if len(kinds) != len(value):
            raise Invalid(f"{field} = {value!r}: must have {len(kinds)} entries")
        pairs = enumerate(zip(value, kinds, strict=True))
        return tuple(checked(f"{field}.{i}", item, kind) for i, (item, kind) in pairs)
    return _plain(field, value, annotation)


def _plain(field: str, value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {int: "a whole number", float: "a number", str: "text", bool: "True or False"}
        raise Invalid(f"{field} = {value!r}: must be {words.get(kind, f'a {kind.__name__}')}")
    if kind is float and not math.isfinite(value):
        raise Invalid(f"{field} = {value!r}: must be a finite number")
    return value + 0.0 if kind is float else value  # -0.0 equals 0.0 but has another text


def unknown(what: str, name: str, names: Iterable[str]) -> Invalid:
    """The error for a `name` that is none of `names`: it lists them, the most similar first."""
    names = list(names)
    similar = get_close_matches(name, names, n=3, cutoff=0.5)
    ordered = similar + [other for other in names if other not in similar]
    if any("," in other for other in ordered):
        ordered = list(map(repr, ordered))
    return Invalid(f"{what} {name!r} is unknown: valid are {', '.join(ordered) or 'none'}")


def masked(text: str) -> str:
    """The text with no credentials in its URLs: user and password, or a query's secret."""
    text = re.sub(r"://([^/\s:@]*:\S*|[^/\s@]*)@", "://***@", text)
    return re.sub(
        r"(?i)([?&][^=&\s]*(?:pass|pwd|token|secret|key)[^=&\s]*=)[^&\s]*", r"\1***", text
    )


class Record:
    """Base of frozen dataclasses whose fields are checked. Raises Invalid where one is wrong."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self), include_extras=True)
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


def keywords_of(part: type) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a class: what may be set; the others come at run time."""
    parameters = inspect.signature(part).parameters.values()
    return {p.name: p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


@dataclass(frozen=True, init=False, repr=False)
class Use:
    """A class with all its keywords, those left out at their defaults.

    Two optional class methods of the class are asked: `check(**keywords)` raises Invalid for values
    that do not go together; `files(folder, **keywords)` gives the path of each file that a keyword
    names, by keyword. Raises Invalid for an unknown, missing, ill-typed or out-of-range keyword.
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

    def settings(self) -> Iterator[tuple[str, Any, Any]]:
        """(name, value, default) of each keyword."""
        valid = keywords_of(self.part)
        return ((name, value, valid[name].default) for name, value in self.items)

    def but(self, **keywords: Any) -> "Use":
        """The same class with these keywords changed; checksums are forgotten."""
        return Use(self.part, **{**dict(self.items), **keywords})

    def build(self, *arguments: Any) -> Any:
        return self.part(*arguments, **dict(self.items))

    def files(self, folder: Path) -> Mapping[str, Path]:
        """The file that each keyword of that kind names; relative paths lie under `folder`."""
        if not hasattr(self.part, "files"):
            return {}
        files: Mapping[str, Path] = self.part.files(folder, **dict(self.items))
        return files

    def resolved(self, folder: Path) -> "Use":
        """The same with the checksum of each of its files. Raises Invalid where one is missing."""
        if not hasattr(self.part, "files"):
            return self  # so that it still equals a default that was never resolved
        sums = {name: checksum(path) for name, path in self.files(folder).items()}
        copy = object.__new__(Use)
        copy._fill(self.part, self.items, tuple(sums.items()))
        return copy

    def demo(self) -> "Use":
        """Its counterpart on the embedded digits: what the class's own `demo` says, or itself."""
        counterpart: Use = self.part.demo(self) if hasattr(self.part, "demo") else self
        return counterpart


def checksum(path: Path) -> str:
    """What identifies a file (its content) or a folder (its listing: relative paths and sizes)."""
    if path.is_dir():
        folders = os.walk(path, followlinks=True)  # data sets are often built of links
        files = sorted(Path(folder, name) for folder, _, names in folders for name in names)
        lines = (f"{p.relative_to(path).as_posix()} {p.stat().st_size}\n" for p in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
    if not path.is_file():
        raise Invalid(f"{path} is missing: a file or folder is needed there")
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _digest(path: Path, size: int, changed: int) -> str:
    """Of the file's content; read once as long as its size and time of change stay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def classes_of(kind: type) -> dict[str, type]:
    """Every class of the kind, by name: those in the files beside the one that defines `kind`."""
    package = kind.__module__.rpartition(".")[0]
    found = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        for cls in vars(importlib.import_module(module.name)).values():
            own = isinstance(cls, type) and cls.__module__ == module.name
            if own and issubclass(cls, kind) and not inspect.isabstract(cls):
                found[cls.__name__] = cls
    return found
