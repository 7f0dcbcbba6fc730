"""Adopted: classes of a user's own files, which stand beside those of the packages as parts."""

from collections.abc import Iterable

CHECKSUM = "source_checksum"  # the attribute of such a class that identifies its source

_adopted: dict[str, type] = {}


def adopt(classes: Iterable[type]) -> None:
    """These classes, and no others, are found by name. Each has the attribute CHECKSUM."""
    _adopted.clear()
    _adopted.update({cls.__name__: cls for cls in classes})


def adopted() -> dict[str, type]:
    """By name."""
    return dict(_adopted)


def source_of(part: type) -> str | None:
    """The checksum of the source of an adopted class; None for one of ours.

    A class without one that inherits from an adopted class is none itself.
    """
    checksum: str | None = vars(part).get(CHECKSUM)
    return checksum
