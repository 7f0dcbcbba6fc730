"""Identity: settings by their dotted names, for the id and for what is logged."""

import functools
import json
from collections.abc import Callable, Iterator
from operator import is_
from typing import Any, TypeVar, get_args

from trainables.settings.invalid import Invalid
from trainables.settings.ranges import Before
from trainables.settings.settings import Record, Setting, Use, kinds_of

Scalar = str | int | float | bool | None
R = TypeVar("R", bound=Record)


def map_settings(record: R, change: Callable[[Setting], Setting]) -> R:
    """`record` with `change` applied to every record and Use inside it, the inner ones first."""

    def inner(value: Any) -> Any:
        if isinstance(value, tuple):
            mapped = tuple(map(inner, value))
            return value if all(map(is_, mapped, value)) else mapped
        if not isinstance(value, Record | Use):
            return value
        old = {name: setting for name, setting, _ in value.settings()}
        new = {name: inner(setting) for name, setting in old.items()}
        return change(value if new == old else value.but(**new))

    # What stays the same object is not checked once more.
    pairs = ((name, old, inner(old)) for name, old, _ in record.settings())
    changed = {name: new for name, old, new in pairs if new is not old}
    return record.but(**changed) if changed else record


def identity(prefix: str, setting: Setting) -> Iterator[tuple[str, Scalar]]:
    """The settings that differ from their defaults, by dotted names; files by checksum.

    One with `Before` is left out at that value instead. Raises Invalid while something is
    unresolved.
    """
    checksums: dict[str, str] = {}
    if isinstance(setting, Use) and hasattr(setting.part, "files"):
        if setting.checksums is None:
            raise Invalid(
                f"{prefix[:-1]} = {setting!r}: the checksum of its files is not known yet"
            )
        checksums = dict(setting.checksums)
    owner: type = setting.part if isinstance(setting, Use) else type(setting)
    before = _before(owner)
    for name, value, default in setting.settings():
        if name in checksums:
            yield f"{prefix}{name}", checksums[name]
        elif value == "auto":
            raise Invalid(f"{prefix}{name} = auto: not resolved for a device yet")
        elif value != before.get(name, default):
            yield from _values(f"{prefix}{name}", value, identity)


@functools.cache
def _before(owner: type) -> dict[str, Any]:
    """The value of each `Before` in the annotations of a class, by the setting's name."""
    kinds = kinds_of(owner).items()
    return {n: mark.value for n, k in kinds for mark in get_args(k) if isinstance(mark, Before)}


def flat(prefix: str, setting: Setting) -> Iterator[tuple[str, Scalar]]:
    """Every setting by its dotted name, defaults and checksums included."""
    for name, value, _ in setting.settings():
        yield from _values(f"{prefix}{name}", value, flat)
    for name, digest in (isinstance(setting, Use) and setting.checksums) or ():
        yield f"{prefix}{name}.sha256", digest


def _values(
    name: str, value: Any, inside: Callable[[str, Setting], Iterator[tuple[str, Scalar]]]
) -> Iterator[tuple[str, Scalar]]:
    match value:
        case Use():
            yield name, value.name
            if value.source:
                yield f"{name}.source", value.source
            yield from inside(f"{name}.", value)
        case Record():
            yield from inside(f"{name}.", value)
        case (Use(), *_):
            for i, item in enumerate(value):
                yield from _values(f"{name}.{i}", item, inside)
        case tuple():
            yield name, json.dumps(value)
        case _:
            yield name, value
