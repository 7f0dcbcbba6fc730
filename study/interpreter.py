"""Interpreter: this environment's Python, as a printed command is to call it."""

import shutil
import sys
from pathlib import Path


def python() -> str:
    """By its whole path where the environment is not the active one."""
    found = shutil.which("python")
    here = Path(sys.executable)
    return "python" if found and Path(found).parent == here.parent else str(here)
