"""Contracts: parts of a user's own are held against what every part must keep to."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from study.grids.demo import demo
from study.grids.grid import find
from study.grids.lay_out import changed
from study.preflight.supported import supported
from study.request import Request
from trainables.contract import check_contract
from trainables.settings import Invalid, source_of
from trainables.training.site import Site
from trainables.trial import Trial


def check(request: Request) -> int:
    """Prints a line for each check that a part of the grid's own passes.

    Raises Invalid at the first that fails, and for a grid without such parts. Returns 0.
    """
    wanted = list(cases(supported(request)))
    if not wanted:
        raise Invalid(f"--check: {request.grid}: must use a part of its own; all are ours")
    for trial, parts in wanted:
        for line in check_contract(trial, parts, _site(request.data_dir)):
            print(line, flush=True)
    return 0


def require(request: Request, needed: Iterable[Trial]) -> None:
    """Raises Invalid where a part of the user's own fails a check, if a needed trial uses it."""
    sources = {use.source for trial in needed for use in trial.uses()} - {None}
    for trial, parts in cases(request) if sources else ():
        if any(source_of(part) in sources for part in parts):
            for _ in check_contract(trial, parts, _site(request.data_dir)):
                pass


def cases(request: Request) -> Iterator[tuple[Trial, tuple[type, ...]]]:
    """The parts of the user's own, each in the first row that has it, on the embedded digits."""
    grid = find(request.grid)
    seen: set[type] = set()
    for row, _, trial, _ in changed(request.grid, request.scale, request.changes, request.left_out):
        if trial and (not request.only or row in request.only):
            own = dict.fromkeys(use.part for use in trial.uses() if use.source)
            if set(own) - seen:
                seen |= set(own)
                at_hand = grid.demo is not None and request.scale == "demo"
                yield trial if at_hand else (grid.demo or demo)(trial), tuple(own)


def _site(folder: Path) -> Site:
    return Site(folder, torch.device("cpu"))
