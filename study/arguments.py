"""Arguments: the command line, read into a request."""

import argparse
import math
import re
from pathlib import Path
from typing import Literal, NoReturn

from analysis.home import HOME
from study.interpreter import called
from study.request import (
    PRUNERS,
    RERUNS,
    SAMPLERS,
    SCALES,
    SPACES,
    VARIABLES,
    Options,
    Request,
    Resources,
    from_environment,
)
from trainables.data.cache import Cache, bytes_of
from trainables.settings import Invalid
from trainables.storage.storage import Storage

Mode = Literal["list", "clean", "status", "report", "dry_run", "check", "run"]
SELECTION = ("grid", "scale", "seeds", "only", "set", "storage", "tracking_uri")
USES = {  # what the commands that run no study take; given besides, an option would be ignored
    "list": (),
    "clean": ("storage", "dry_run"),
    "status": SELECTION,
    "report": (*SELECTION, "price_per_hour"),
    "check": ("grid", "only", "set", "data_dir"),
}
OF_ALL_STUDIES = ("storage", "tracking_uri")
OF_A_SEARCH = ("search_space", "search_seeds", "search_seed", "search_storage", "sampler", "pruner")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as all others."""

    def error(self, message: str) -> NoReturn:
        raise Invalid(message)


def parsed(arguments: list[str]) -> tuple[Mode, Request]:
    """What the command line asks for. Raises Invalid where that is wrong, or would be ignored."""
    args = parser().parse_args(arguments)
    nothing = argparse.Namespace(**dict.fromkeys(vars(args)))  # in the place of all defaults
    said = vars(parser().parse_args(arguments, nothing))
    _check_used(args, [name for name, value in said.items() if value is not None])
    return _mode(args), _request(args)


def explained(error: str, arguments: list[str]) -> str:
    """The error with each option by the environment variable that stood in for it."""
    for name, variable in VARIABLES.items():
        option = _option(name)
        given = any(a == option or a.startswith(f"{option}=") for a in arguments)
        if not given and from_environment(name) is not None:
            error = re.sub(rf"(argument )?{option}(?= = |: | is | ')", variable, error)
    return error


def _mode(args: argparse.Namespace) -> Mode:
    modes: tuple[Mode, ...] = ("list", "clean", "status", "report", "dry_run", "check")
    return next((mode for mode in modes if getattr(args, mode)), "run")


def _request(args: argparse.Namespace) -> Request:
    search = args.search and Options(
        args.search,
        args.search_seeds,
        args.sampler,
        args.search_seed,
        args.pruner,
        args.search_space,
    )
    return Request(
        grid=args.grid or "",
        scale=args.scale,
        seeds=args.seeds,
        only=tuple(args.only),
        changes=tuple(args.set),
        rerun=args.rerun,
        search=search or None,
        dry_run=args.dry_run,
        data_dir=args.data_dir.absolute(),
        storage=args.storage,
        tracking_uri=args.tracking_uri,
        search_storage=args.search_storage,
        address=args.address,
        resources=Resources(
            args.cpus_per_trial,
            args.gpus_per_trial,
            args.max_concurrent,
            args.stall_limit,
            args.priority,
            Cache(args.cache_dir, args.cache_size),
            args.workers_per_trial,
            args.sync_batch_norm,
            args.fuse,
            args.mixed,
            not args.no_capture,
        ),
        price_per_hour=args.price_per_hour,
    )


def _check_used(args: argparse.Namespace, given: list[str]) -> None:
    mode = next((mode for mode in USES if getattr(args, mode)), None)
    if mode:
        of_all = mode == "status" and "grid" not in given
        uses = OF_ALL_STUDIES if of_all else USES[mode]
        for name in given:
            if name not in (mode, *uses):
                takes = ", ".join(map(_option, uses)) or "no other option"
                takes += " without --grid" * of_all
                raise Invalid(f"{_option(name)}: not together with --{mode}, which takes {takes}")
    elif not args.search:
        for name in given:
            if name in OF_A_SEARCH:
                raise Invalid(f"{_option(name)}: only together with --search POINTS")
    if "priority" in given and not args.address:
        raise Invalid("--priority: only together with --address, or RAY_ADDRESS")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def parser() -> Parser:
    """The command line."""
    p = Parser(
        allow_abbrev=False,
        prog=called()[-1],
        description="Run a published table as trials on Ray.",
    )
    add = p.add_argument
    add("--grid", help="the table to run: a name, or a file of your own that defines `grid`")
    add("--list", action="store_true", help="name all grids")
    add("--scale", choices=SCALES, default="demo", help="default: demo")
    add("--seeds", type=_natural, metavar="N", help="seeds 0 to N - 1 (default: the grid's)")
    add("--only", action="append", default=[], metavar="ROW", help="this row; repeatable")
    changes = "change a field of every row that has it, like targets.temperature=5; repeatable"
    add("--set", action="append", default=[], metavar="FIELD=VALUE", help=changes)
    mode = p.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="show the cells and what they cost")
    mode.add_argument(
        "--status", action="store_true", help="how far it is; all studies, without --grid"
    )
    mode.add_argument("--report", action="store_true", help="the table of what is recorded")
    parts = "hold the parts of a grid of your own against what every part must keep to"
    mode.add_argument("--check", action="store_true", help=parts)
    mode.add_argument("--rerun", choices=RERUNS, help="train the selected cells again")
    add("--clean", action="store_true", help="remove what finished trials no longer need")
    add("--price-per-hour", type=_positive, help="of one GPU, or CPU: cost in the report")
    data = _or(from_environment("data_dir"), str(HOME / "data"))
    add("--data-dir", type=_folder, default=data, help=f"data sets, weights, taxonomies ({data})")
    decoded = "decoded images, on each node (default: label-studies/images in the user's cache)"
    place = from_environment("cache_dir")
    add("--cache-dir", type=_folder, default=place, metavar="FOLDER", help=decoded)
    most = "of decoded images, like 50GB; 0: none (default: half of the free disk, at most 200GB)"
    add("--cache-size", type=_bytes, metavar="SIZE", help=most)
    storage = _or(from_environment("storage"), str(HOME))
    where = f"trials and their results: a folder or s3://bucket/prefix ({storage})"
    add("--storage", type=_storage, default=storage, metavar="FOLDER|URL", help=where)
    tracking = "MLflow's (default: MLFLOW_TRACKING_URI, or sqlite:///<storage>/mlflow.db)"
    add("--tracking-uri", default=from_environment("tracking_uri"), help=tracking)
    cluster = "host:port of a Ray cluster, or auto (default: RAY_ADDRESS, or a new one here)"
    add("--address", default=from_environment("address"), help=cluster)
    tune = p.add_argument_group("search", "tune each row, and add the winners to the table")
    add_tuning = tune.add_argument
    add_tuning("--search", type=_natural, metavar="POINTS", help="so many configurations a search")
    add_tuning(
        "--search-space",
        choices=SPACES,
        default="both",
        help="the method's parts, the recipe (learning rate, weight decay), or (default) both",
    )
    add_tuning("--search-seeds", type=_natural, default=1, help="averaged for a point; default: 1")
    add_tuning("--sampler", choices=SAMPLERS, default="tpe", help="default: tpe")
    add_tuning(
        "--pruner",
        choices=PRUNERS,
        default="none",
        help="ends poor configurations early; default: none",
    )
    add_tuning("--search-seed", type=int, default=0, help="the sampler's; another starts anew")
    database = "default: STUDY_SEARCH_STORAGE, or sqlite:///<storage>/optuna.db"
    url = from_environment("search_storage")
    add_tuning("--search-storage", metavar="URL", default=url, help=database)
    add("--cpus-per-trial", type=_positive, default=1.0, help="of each worker; default: 1")
    gpus = "may be a fraction (default: 1 for each worker if there are any)"
    add("--gpus-per-trial", type=_positive, help=gpus)
    workers = "that train a trial together, each on its part of a batch (default: 1 for each GPU)"
    add("--workers-per-trial", type=_natural, metavar="N", help=workers)
    synchronised = "batch norm over all workers of a trial; default: by worker"
    add("--sync-batch-norm", action="store_true", help=synchronised)
    fuse = "so many trials that are alike, at most, are trained as one net (default: 1)"
    add("--fuse", type=_natural, default=1, metavar="N", help=fuse)
    add("--mixed", action="store_true", help="a table may have fused and separate trials")
    never = "GPUs launch each step anew, and repeat none from a recording"
    add("--no-capture", action="store_true", help=never)
    add("--max-concurrent", type=_natural, metavar="N", help="trials at once (default: what fits)")
    weight = "of this command's share of a cluster, beside other commands; default: 1"
    add("--priority", type=_positive, default=1.0, metavar="N", help=weight)
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


def _bytes(text: str) -> int:
    try:
        return bytes_of(text)
    except Invalid as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _or(value: str | None, default: str) -> str:
    """An empty value is none to be replaced: it is refused."""
    return default if value is None else value


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
