"""Invalid: the one error of a setting that cannot be used."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class Invalid(ValueError):
    """A setting that cannot be used: one line with the field, the value and what would be valid."""


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
