"""Terminal: what a command prints, on terminals of any encoding and width."""

import codecs
import io
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

USUAL = 100  # characters a line, where there is no terminal
# What stands in for a character that an encoding lacks; for any other it is a question mark.
PLAIN = {
    "±": "+/-",
    "−": "-",
    "–": "-",
    "—": "-",
    "─": "-",
    "×": "x",
    "…": "...",
    "→": "->",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "\N{NO-BREAK SPACE}": " ",
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "Ä": "Ae",
    "Ö": "Oe",
    "Ü": "Ue",
    "ß": "ss",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "ε": "epsilon",
    "λ": "lambda",
    "μ": "mu",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
}
CLOSED = 128 + 13  # the exit code of a program whose reader has gone


def settle() -> None:
    """Has what is printed written in plain characters where the terminal's encoding lacks them."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in lacking), error.end


def silence() -> None:
    """Nothing more is printed: whoever read it, like `head`, has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            os.dup2(nowhere, stream.fileno())


def fitted(text: Callable[[int], str], whole: Path) -> str:
    """The text as wide as the terminal; where it cannot be, how to see the file `whole`."""
    if not sys.stdout.isatty():
        return text(USUAL)
    columns = shutil.get_terminal_size().columns
    said = text(min(columns, USUAL))
    width = max(map(len, said.splitlines()), default=0)
    if width <= columns:
        return said
    command = shlex.join(["less", "-S", str(whole)])
    return f"the table is {width} characters wide, this terminal {columns}; whole: {command}"
