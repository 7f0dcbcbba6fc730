"""Arguments: the command line, and what of a grid it selects."""

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from analysis.plan import Cell, Plan
from study.grids.grid import find
from study.grids.lay_out import lay_out
from study.running import address
from study.search import points
from study.search.sharing import SharedSearch, searches_of
from trainables.settings import Invalid, Use, unknown
from trainables.storage.storage import Storage
from trainables.trial import Trial

if TYPE_CHECKING:
    from study.search.points import Options

HOME = Path.home() / ".label-studies"
USES = {  # what the commands that run no study take; given besides, an option would be ignored
    "list": (),
    "clean": ("storage", "dry_run"),
    "status": ("grid", "scale", "set", "storage", "tracking_uri"),
    "report": ("grid", "scale", "set", "storage", "tracking_uri", "price_per_hour"),
}
OF_A_SEARCH = ("search_space", "search_seeds", "search_seed", "search_storage", "sampler", "pruner")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as all others."""

    def error(self, message: str) -> NoReturn:
        raise Invalid(message)


def parsed(arguments: list[str]) -> argparse.Namespace:
    """What the command line says. Raises Invalid where that is wrong, or would be ignored."""
    args = parser().parse_args(arguments)
    nothing = argparse.Namespace(**dict.fromkeys(vars(args)))  # in the place of all defaults
    said = vars(parser().parse_args(arguments, nothing))
    _check_used(args, [name for name, value in said.items() if value is not None])
    _check_changes(args.set)
    return args


def _check_used(args: argparse.Namespace, given: list[str]) -> None:
    mode = next((mode for mode in USES if getattr(args, mode)), None)
    if mode:
        for name in given:
            if name not in (mode, *USES[mode]):
                takes = ", ".join(map(_option, USES[mode])) or "no other option"
                raise Invalid(f"{_option(name)}: not together with --{mode}, which takes {takes}")
    elif not args.search:
        for name in given:
            if name in OF_A_SEARCH:
                raise Invalid(f"{_option(name)}: only together with --search POINTS")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_changes(changes: list[str]) -> None:
    """What is wrong with them whatever the grid."""
    names = [change.partition("=")[0] for change in changes]
    for change, name in zip(changes, names, strict=True):
        if names.count(name) > 1:
            values = ", ".join(repr(c) for c in changes if c.partition("=")[0] == name)
            raise Invalid(f"--set {values}: a field must be given once")
        if name == "data.test":
            raise Invalid(f"--set {change!r}: must be another field: tables show the test images")


def parser() -> Parser:
    """The command line."""
    p = Parser(
        allow_abbrev=False,
        prog="study/run.py",
        description="Run a published table as trials on Ray.",
    )
    add = p.add_argument
    add("--grid", help="the table to run")
    add("--list", action="store_true", help="name all grids")
    add("--scale", choices=("demo", "paper"), default="demo", help="default: demo")
    add("--seeds", type=_natural, metavar="N", help="seeds 0 to N - 1 (default: the grid's)")
    add("--only", action="append", default=[], metavar="ROW", help="this row; repeatable")
    changes = "change a field of every row that has it, like targets.temperature=5; repeatable"
    add("--set", action="append", default=[], metavar="FIELD=VALUE", help=changes)
    mode = p.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="show the cells and what they cost")
    mode.add_argument("--status", action="store_true", help="how far it is, from the tracker")
    mode.add_argument("--report", action="store_true", help="the table of what is recorded")
    mode.add_argument("--rerun", choices=("all", "failed"), help="train the selected cells again")
    add("--clean", action="store_true", help="remove what finished trials no longer need")
    add("--price-per-hour", type=_positive, help="of one GPU, or CPU: cost in the report")
    data = os.environ.get("STUDY_DATA_DIR", str(HOME / "data"))
    add("--data-dir", type=_folder, default=data, help=f"data sets, weights, taxonomies ({data})")
    storage = os.environ.get("STUDY_STORAGE", str(HOME))
    where = f"trials and their results: a folder or s3://bucket/prefix ({storage})"
    add("--storage", type=_storage, default=storage, metavar="FOLDER|URL", help=where)
    tracking = "MLflow's (default: MLFLOW_TRACKING_URI, or sqlite:///<storage>/mlflow.db)"
    add("--tracking-uri", default=os.environ.get("MLFLOW_TRACKING_URI") or None, help=tracking)
    cluster = "host:port of a Ray cluster, or auto (default: RAY_ADDRESS, or a new one here)"
    add("--address", default=address.default(), help=cluster)
    tune = p.add_argument_group("search", "tune each row, and add the winners to the table")
    add_tuning = tune.add_argument
    add_tuning("--search", type=_natural, metavar="POINTS", help="so many configurations a search")
    add_tuning(
        "--search-space",
        choices=("both", "parts", "recipe"),
        default="both",
        help="the method's parts, the recipe (learning rate, weight decay), or (default) both",
    )
    add_tuning("--search-seeds", type=_natural, default=1, help="averaged for a point; default: 1")
    add_tuning("--sampler", choices=("tpe", "random", "gp"), default="tpe", help="default: tpe")
    add_tuning(
        "--pruner",
        choices=("none", "median", "asha", "hyperband"),
        default="none",
        help="ends poor configurations early; default: none",
    )
    add_tuning("--search-seed", type=int, default=0, help="the sampler's; another starts anew")
    database = "default: STUDY_SEARCH_STORAGE, or sqlite:///<storage>/optuna.db"
    url = os.environ.get("STUDY_SEARCH_STORAGE") or None
    add_tuning("--search-storage", metavar="URL", default=url, help=database)
    add("--cpus-per-trial", type=_positive, default=1.0, help="default: 1")
    add("--gpus-per-trial", type=_positive, help="may be a fraction (default: 1 if there are any)")
    add("--max-concurrent", type=_natural, metavar="N", help="trials at once (default: what fits)")
    stall = "end a trial without a finished epoch for so long; default: 720"
    add("--stall-limit", type=_positive, default=720.0, metavar="MINUTES", help=stall)
    return p


def _storage(text: str) -> Storage:
    try:
        return Storage(text) if "://" in text else Storage(_folder(text))
    except Invalid as error:  # the parser says which argument it is
        raise argparse.ArgumentTypeError(str(error).removeprefix("--storage = ")) from None


def _folder(text: str) -> Path:
    if not text:  # which would be the current one
        raise argparse.ArgumentTypeError("'' must be a folder, like . or /data")
    return Path(text)


def _natural(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1 on")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return value


def wanted_searches(args: argparse.Namespace) -> list[SharedSearch]:

    if seeds_of(args) > points.FIRST_SEED:
        valid = f"at most {points.FIRST_SEED} with --search, whose own seeds begin there"
        raise Invalid(f"--seeds = {seeds_of(args)}: must be {valid}")
    return searches_of(args.grid, args.scale, tuple(args.set), args.search_space, tuple(args.only))


def search_options(args: argparse.Namespace) -> "Options":

    return points.Options(
        args.search, args.search_seeds, args.sampler, args.search_seed, args.pruner
    )


def seeds_of(args: argparse.Namespace) -> int:
    seeds: int = args.seeds or find(args.grid).seeds
    return seeds


def laid_out(
    args: argparse.Namespace,
    ready: Callable[[Trial], tuple[Trial, str | None]],
    measured: Callable[[Use], Use | None],
) -> tuple[Plan, dict[Trial, str | None]]:
    return lay_out(args.grid, args.scale, args.seeds, tuple(args.set), ready, measured)


def check_selected(plan: Plan, only: list[str]) -> None:
    for row in only:
        if row not in plan.rows():
            raise unknown("--only: row", row, plan.rows())


def selected_ids(plan: Plan, args: argparse.Namespace) -> list[str]:
    """The ids of the rows that are asked for, and of their winners, each once."""
    cells = selected_cells(plan, args)
    return list(dict.fromkeys(i for cell in cells for i in cell.trials.values() if i))


def selected_cells(plan: Plan, args: argparse.Namespace) -> list[Cell]:
    """The cells of the rows that are asked for, and of their winners."""
    only = set(args.only)
    return [cell for cell in plan.cells if not only or only & {cell.row, *cell.tunes}]
