"""Supported: which rows and columns of a grid the data at hand can have."""

from dataclasses import replace

from analysis.layout import by_reason
from study.grids.grid import find
from study.grids.lay_out import changed
from study.request import Request
from trainables.settings import Invalid


def supported(request: Request) -> Request:
    """The request with what its data do not support of the grid; a line is printed for each reason.

    Raises Invalid for data that no row can be trained on, and where a row that is asked for by name
    is left out.
    """
    grid = find(request.grid)
    if grid.unsupported is None:
        return request
    table = changed(request.grid, request.scale, request.changes)
    rows = {row: trial for row, _, trial, _ in table if trial}
    left_out = grid.unsupported(rows, request.data_dir)
    for row in request.only:
        if row in left_out:
            raise Invalid(f"--only: row {row!r} is left out: {left_out[row]}")
    for reason, names in by_reason(left_out):
        print(f"{', '.join(names)}: left out: {reason}", flush=True)
    return replace(request, left_out=left_out)
