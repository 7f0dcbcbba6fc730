"""Selected: what of a grid a request is about."""

from collections.abc import Callable

from analysis.plan import Cell, Plan
from study.grids.grid import find
from study.grids.lay_out import lay_out, study_name
from study.request import Options, Request
from study.search.sharing import SharedSearch, searches_of
from study.search.space import FIRST_SEED
from trainables.settings import Invalid, Use, unknown
from trainables.trial import Trial


def seeds_of(request: Request) -> int:
    return request.seeds or find(request.grid).seeds


def study_of(request: Request) -> str:
    """The name of the study; of a grid without demo it has no scale."""
    scale = request.scale if find(request.grid).demo else None
    return study_name(request.grid, scale, request.changes)


def laid_out(
    request: Request,
    ready: Callable[[Trial], tuple[Trial, str | None]],
    measured: Callable[[Use], Use | None],
) -> tuple[Plan, dict[Trial, str | None]]:
    """The plan, and its distinct trials with their ids: see `lay_out`."""
    seeds, changes, left_out = request.seeds, request.changes, request.left_out
    return lay_out(request.grid, request.scale, seeds, changes, ready, measured, left_out)


def check_selected(plan: Plan, only: tuple[str, ...]) -> None:
    """Raises Invalid for a row that the plan has not."""
    for row in only:
        if row not in plan.rows():
            raise unknown("--only: row", row, plan.rows())


def selected_ids(plan: Plan, only: tuple[str, ...]) -> list[str]:
    """The ids of the rows that are asked for, and of their winners, each once."""
    cells = selected_cells(plan, only)
    return list(dict.fromkeys(i for cell in cells for i in cell.trials.values() if i))


def selected_cells(plan: Plan, only: tuple[str, ...]) -> list[Cell]:
    """The cells of the rows that are asked for, and of their winners; of all rows for none."""
    return [cell for cell in plan.cells if not only or {*only} & {cell.row, *cell.tunes}]


def wanted_searches(request: Request, options: Options) -> list[SharedSearch]:
    """Raises Invalid where the table's seeds would reach those of searched trials."""
    if seeds_of(request) > FIRST_SEED:
        valid = f"at most {FIRST_SEED} with --search, whose own seeds begin there"
        raise Invalid(f"--seeds = {seeds_of(request)}: must be {valid}")
    table = request.grid, request.scale, request.changes
    return searches_of(*table, options.space, request.only, request.left_out)
