"""Arguments: the command line, and what of a grid it selects."""

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch

from study import address
from study.grid import Cell, Plan, find, lay_out
from study.space import Shared, searches_of
from trainables.formats import formats_of
from trainables.settings import Invalid, Use, unknown
from trainables.trial import Trial

if TYPE_CHECKING:
    from study.search import Options

HOME = Path.home() / ".label-studies"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as all others."""

    def error(self, message: str) -> NoReturn:
        raise Invalid(message)


def parser() -> Parser:
    """The command line."""
    p = Parser(prog="study/run.py", description="Run a published table as trials on Ray.")
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
    data = Path(os.environ.get("STUDY_DATA_DIR", HOME / "data"))
    add("--data-dir", type=Path, default=data, help=f"data sets, weights, taxonomies ({data})")
    storage = Path(os.environ.get("STUDY_STORAGE", HOME))
    add("--storage", type=Path, default=storage, help=f"trials and their results ({storage})")
    tracking = "MLflow's (default: MLFLOW_TRACKING_URI, or sqlite:///<storage>/mlflow.db)"
    add("--tracking-uri", default=os.environ.get("MLFLOW_TRACKING_URI"), help=tracking)
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
    url = os.environ.get("STUDY_SEARCH_STORAGE")
    add_tuning("--search-storage", metavar="URL", default=url, help=database)
    add("--cpus-per-trial", type=_positive, default=1.0, help="default: 1")
    add("--gpus-per-trial", type=_positive, help="may be a fraction (default: 1 if there are any)")
    add("--max-concurrent", type=_natural, metavar="N", help="trials at once (default: what fits)")
    return p


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


def wanted_searches(args: argparse.Namespace) -> list[Shared]:
    from study import search

    if seeds_of(args) > search.FIRST_SEED:
        valid = f"at most {search.FIRST_SEED} with --search, whose own seeds begin there"
        raise Invalid(f"--seeds = {seeds_of(args)}: must be {valid}")
    return searches_of(args.grid, args.scale, tuple(args.set), args.search_space, tuple(args.only))


def search_options(args: argparse.Namespace) -> "Options":
    from study import search

    return search.Options(
        args.search, args.search_seeds, args.sampler, args.search_seed, args.pruner
    )


def told(what: Shared) -> str:
    """A search in a line: what it tunes, over which space."""
    space = ", ".join(f"{name} ({words})" for name, words in what.space.parameters.items())
    rows = f"{len(what.rows)} rows" if len(what.rows) > 1 else what.rows[0]
    return f"search of {what.column}, {what.label} ({rows}) over {space}"


def seeds_of(args: argparse.Namespace) -> int:
    seeds: int = args.seeds or find(args.grid).seeds
    return seeds


def formats_there(args: argparse.Namespace) -> dict[str, str]:
    """What "auto" means where the trials will run: the cluster's GPUs, or a machine like this.

    Raises Invalid for an address without a cluster, or a token that cannot be used.
    """
    address.check_token(args.address)
    gpus = torch.cuda.is_available()
    if args.address:
        from study import launch

        launch.connect(args.address)
        gpus = launch.largest_node()["GPU"] > 0
    return formats_of("cuda" if gpus else "cpu")


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
