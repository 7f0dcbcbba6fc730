"""Python: a study that is run from a notebook or a script."""

import sys

from study import reporting, session
from study.grids import from_file
from study.outcome import Outcome
from study.request import Request


def run(request: Request) -> Outcome:
    """See `study.run`."""
    connected = _connected()
    from_file.refresh()
    reporting.headline(request)
    try:
        return session.run(request, "the same run(request)")
    finally:  # workers of an interrupted study end with the connection
        if not connected and _connected():
            sys.modules["ray"].shutdown()


def _connected() -> bool:
    """Whether this process has a Ray cluster; Ray itself takes a second to import."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())
