"""Invalid: the one error of a setting that cannot be used."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path


class Invalid(ValueError):
    """A setting that cannot be used: one line with the field, the value and what would be valid.

    The line is made printable, since names of files and classes stand in it.
    """

    def __init__(self, line: str) -> None:
        super().__init__(printable(line))


class Missing(Invalid):
    """A file or folder that is not there, and that a user may put there."""


def printable(text: str) -> str:
    r"""The text in one line that every file, database and terminal of UTF-8 takes.

    Escaped are control characters, and the bytes of a file's name that are not UTF-8: "caf\xe9".
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python reads such a byte of a name
        return f"\\x{code - 0xDC00:02x}"
    shown = unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
    return character if shown else character.encode("unicode_escape").decode()


@contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Raises Invalid, naming it, for a file or folder that the system does not let be read."""
    try:
        yield
    except OSError as error:
        place, why = error.filename or path, error.strerror or error
        raise Invalid(f"{place} cannot be read ({why}): must be readable") from error


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
