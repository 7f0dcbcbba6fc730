"""docs/methods.md is made from the docstrings, and no older than they are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_docstrings_say() -> None:
    program = "import methods; print(methods.page(), end='')"
    made = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'docs'}", "PATH": "", "PYTHONUTF8": "1"},
    ).stdout
    assert (ROOT / "docs" / "methods.md").read_text() == made, "make docs writes it anew"
