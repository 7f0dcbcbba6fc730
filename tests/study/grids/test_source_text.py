"""What of a user's files counts for a class, and what does not."""

from pathlib import Path

import pytest

from study.grids.source_text import Module, check_imports, checksum
from trainables.settings import Invalid

GRID = """
from helper import scale, other
import torch

SIZE = 2
UNUSED = 3

def half(x):
    return x / SIZE

class Mine:
    '''Of mine.'''
    def forward(self, x):
        return scale(half(x))

class Beside:
    pass

grid = [Mine, Beside]
"""
HELPER = """
FACTOR = 5

def scale(x):
    return FACTOR * x

def other(x):
    return x
"""


def files(grid: str = GRID, helper: str = HELPER) -> dict[str, Module]:
    return {
        "mine": Module(Path("mine.py"), grid),
        "helper": Module(Path("helper.py"), helper),
    }


def of(grid: str = GRID, helper: str = HELPER) -> str:
    return checksum("Mine", "mine", files(grid, helper))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("grid", "grid = [Mine, Beside]", "grid = [Mine]"),
        ("grid", "UNUSED = 3", "UNUSED = 4"),
        ("grid", "class Beside:", "class Beside2:"),
        ("grid", "import torch", "import torch, os"),
        ("helper", "    return x\n", "    return x + 1\n"),
        ("grid", "\nSIZE", "\n# A remark.\n\nSIZE"),
    ],
)
def test_what_the_class_does_not_need_is_left_out(file: str, old: str, new: str) -> None:
    assert of(**{file: changed(file, old, new)}) == of()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("grid", "scale(half(x))", "half(scale(x))"),
        ("grid", "SIZE = 2", "SIZE = 4"),
        ("grid", "return x / SIZE", "return x // SIZE"),
        ("helper", "FACTOR = 5", "FACTOR = 6"),
        ("helper", "FACTOR * x", "FACTOR + x"),
        ("grid", "class Mine:", "class Mine(object):"),
        ("grid", "class Mine:", "@torch.jit.ignore\nclass Mine:"),
        ("grid", "SIZE = 2", "SIZE = 2\ntorch.set_default_dtype(torch.float64)"),
        ("helper", "FACTOR = 5", "FACTOR = 5\nprint('side effect')"),
        ("grid", "SIZE = 2", "SIZE = 2\nSIZE += 1"),
    ],
)
def test_what_it_needs_counts_wherever_it_stands(file: str, old: str, new: str) -> None:
    assert of(**{file: changed(file, old, new)}) != of()


def changed(file: str, old: str, new: str) -> str:
    text = {"grid": GRID, "helper": HELPER}[file]
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    "line",
    [
        "import helper",
        "import helper as it",
        "from helper import *",
        "from helper import gone as it",
    ],
)
def test_a_whole_file_counts_where_no_name_says_what_of_it(line: str) -> None:
    grid = f"{line}\nclass Mine:\n    x = {'it' if ' as ' in line else 'helper'}\n"
    changes = HELPER.replace("return x\n", "return x + 1\n")
    assert of(grid, changes) != of(grid)


def test_an_import_inside_a_function_is_refused(tmp_path: Path) -> None:
    (tmp_path / "helper.py").touch()
    start = "class Mine:\n    def forward(self):\n        "
    for line in ("import helper", "from helper import scale"):
        mine = {"mine": Module(tmp_path / "mine.py", start + line)}
        with pytest.raises(Invalid, match=r"mine\.py, line 3: import helper: must stand"):
            check_imports(mine)
    check_imports({"mine": Module(tmp_path / "mine.py", f"{start}import torch")})
