"""Interpreter: this environment's Python, as a printed command is to call it."""

import shutil
import sys
from pathlib import Path

COMMAND = "label-studies"  # as `pip` installs it


def python() -> str:
    """By its whole path where the environment is not the active one."""
    found = shutil.which("python")
    here = Path(sys.executable)
    return "python" if found and Path(found).parent == here.parent else str(here)


def called() -> list[str]:
    """How this command is called again: the installed one, or the file in a checkout."""
    this = Path(sys.argv[0])
    if this.name != COMMAND:
        return [python(), "study/run.py"]
    found = shutil.which(COMMAND)
    return [COMMAND if found and Path(found).samefile(this) else str(this)]
