"""Which trials to run, and running them. In Python: `from study import Request, run`.

`run(Request(grid="kesl_ablation"))` does what `python study/run.py --grid kesl_ablation` does.
"""

from typing import TYPE_CHECKING

from study.request import Options, Request, Resources
from trainables.data.cache import Cache

if TYPE_CHECKING:
    from study.outcome import Outcome

__all__ = ["Cache", "Options", "Request", "Resources", "report", "run", "status", "tables"]

# What takes seconds to import is imported where it is asked for, so that `--help` is at once there.


def run(request: Request) -> "Outcome":
    """Trains what the study lacks, and gives its table; the same request again trains nothing.

    Prints progress, table and the report's path. An interrupt (Ctrl-C, a notebook's stop button)
    or a restarted kernel loses nothing: the same request goes on. A Ray cluster that is connected
    already is used, and stays connected. Raises Invalid (a ValueError), before anything starts, for
    a request that cannot be.
    """
    from study.python import run

    return run(request)


def status(request: Request) -> str:
    """How far each trial is, a line each; from any process, while another one runs the study."""
    from study import reporting

    return reporting.status(request)


def report(request: Request) -> "Outcome":
    """The table of what is recorded so far, and its report; trains nothing."""
    from study import reporting

    return reporting.report(request)


def tables() -> list[str]:
    """The names of all tables."""
    from study.grids.grid import grids

    return grids()
