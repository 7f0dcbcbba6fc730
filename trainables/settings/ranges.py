"""Ranges: what the annotation of a setting says beside its type."""

import math
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from trainables.settings.invalid import Invalid


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


@dataclass(frozen=True)
class Before:
    """What a setting was before there was such a setting, where its default is another value.

    Results that are older have no such setting in their ids. So it stays out of the id at this
    value, and not at its default.
    """

    value: Any


Fraction = Annotated[float, Interval("[0, 1]")]
Share = Annotated[float, Interval("(0, 1]")]


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
    if kind is str and value.encode(errors="ignore").decode() != value:
        raise Invalid(f"{field} = {value}: must be text in UTF-8")
    if kind is float and not math.isfinite(value):
        raise Invalid(f"{field} = {value!r}: must be a finite number")
    return value + 0.0 if kind is float else value  # -0.0 equals 0.0 but has another text
