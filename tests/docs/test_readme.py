"""What README says of a user's own method is run as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def block(name: str) -> str:
    """The code behind the mark of that name."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert found
    return found[1]


def test_a_method_of_ones_own_takes_fifteen_lines() -> None:
    method, grid, _ = block("own").partition("\ngrid = ")
    assert grid
    assert len([line for line in method.splitlines() if line]) <= 15


@pytest.mark.slow
def test_its_parts_keep_to_the_contract(tmp_path: Path) -> None:
    said = called(tmp_path, "--check")
    assert "Poly1: resumed" in said.splitlines()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_table_takes_one_command(tmp_path: Path) -> None:
    said = called(
        tmp_path, "--seeds", "1", "--set", "recipe.epochs=12", "--set", "recipe.milestones=[8]"
    )
    rows = {line.split()[0] for line in said.splitlines() if re.match(r"\S+ +\d+\.\d\d ", line)}
    assert rows == {"CE", "Poly-1", "OLS", "KESL"}
    assert "DEMO SCALE" in said
    assert "published" not in said


def called(folder: Path, *more: str) -> str:
    """What README's command says, in a folder that has the file alone."""
    (folder / "poly.py").write_text(block("own"))
    name, *arguments = shlex.split(block("own-run"))
    installed = Path(sys.executable).parent / name
    command = [str(installed), *arguments, *more]
    where = {**os.environ, "STUDY_STORAGE": str(folder / "storage")}
    if not installed.exists():  # an environment that is older than the command
        command[:1] = [sys.executable, "-c", "from study.command import console; console()"]
        where["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
