"""What is printed, on terminals of any encoding and width, and to readers that have gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from study import terminal
from study.terminal import PLAIN, fitted

ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}


def printed(text: str, stream: str, **environment: str) -> str:
    """What a program prints of the text, which it is given in escapes."""
    code = (
        "import sys; from study import terminal; terminal.settle(); "
        f"print({text!a}, file=sys.{stream}, end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env=os.environ | environment
    )
    return (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_an_encoding_that_lacks_a_character_gets_a_plain_one(stream: str) -> None:
    assert printed("89.3 ± 0.8 – α −1 ── ☃", stream, **ASCII) == "89.3 +/- 0.8 - alpha -1 -- ?"


def test_an_encoding_that_has_a_character_keeps_it() -> None:
    assert printed("± – α", "stdout", PYTHONIOENCODING="utf-8") == "± – α"


def test_plain_characters_are_plain() -> None:
    assert all(text.isascii() for text in PLAIN.values())


@pytest.mark.slow
def test_a_list_that_nobody_reads_to_its_end_ends_in_silence() -> None:
    command = f"{sys.executable} study/run.py --list | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


class Terminal:
    """Stands in for one that is so many characters wide."""

    def __init__(self, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        size = os.terminal_size((columns, 24))
        monkeypatch.setattr(terminal.shutil, "get_terminal_size", lambda: size)


def table(width: int) -> str:
    """One that can be made as narrow as 60 characters."""
    return "-" * max(60, width)


@pytest.mark.parametrize(("columns", "width"), [(200, 100), (100, 100), (80, 80), (60, 60)])
def test_a_table_is_as_wide_as_the_terminal_and_no_wider_than_usual(
    columns: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Terminal(columns, monkeypatch)
    assert fitted(table, Path("table.txt")) == "-" * width


def test_what_cannot_be_so_narrow_is_told_how_to_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    Terminal(40, monkeypatch)
    assert fitted(table, Path("/a b/table.txt")) == (
        "the table is 60 characters wide, this terminal 40; whole: less -S '/a b/table.txt'"
    )


def test_a_file_or_a_pipe_gets_the_usual_width() -> None:
    assert fitted(table, Path("table.txt")) == "-" * 100
