"""The study command: `python study/run.py --grid kesl_ablation`. `--help` lists what it takes."""

import argparse
import math
import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch

from study import estimate, prepare
from study.grid import Plan, Scale, find, grids, lay_out, study_name
from study.lease import lease
from study.progress import Ticker, clock, progress
from study.space import Shared, searches_of
from trainables.formats import formats_of
from trainables.settings import Invalid, unknown
from trainables.storage import Storage
from trainables.train import Site
from trainables.trial import Trial

if TYPE_CHECKING:
    from study.launch import Resources
    from study.search import Options, Search
    from study.tracking import Tracker

# Ray, MLflow and the report are imported where they are first needed: what does without them, like
# an error in the arguments, is then there at once.

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
    add("--storage", type=Path, default=HOME, help=f"trials and their results ({HOME})")
    add("--tracking-uri", help="MLflow's (default: sqlite:///<storage>/mlflow.db)")
    add("--address", help="host:port of a Ray cluster (default: a new one on this machine)")
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
    add_tuning("--search-seed", type=int, default=0, help="the sampler's; another starts anew")
    add_tuning("--search-storage", metavar="URL", help="default: sqlite:///<storage>/optuna.db")
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


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code: 1 where a trial failed, 2 for bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        args = parser().parse_args(arguments)
        if args.list:
            for name in grids():
                print(f"{name:22} {find(name).title}")
            return 0
        if args.grid is None:
            raise Invalid(f"--grid is missing: valid are {', '.join(grids())}")
        find(args.grid)
        print(_headline(args.grid, args.scale), flush=True)
        uri = args.tracking_uri or f"sqlite:///{args.storage.absolute() / 'mlflow.db'}"
        if args.status:
            return _status(args, uri)
        if args.report:
            return _report(args, uri)
        if args.dry_run:
            return _dry_run(args)
        return _run(args, uri, _again(arguments))
    except Invalid as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _headline(grid: str, scale: Scale) -> str:
    if scale == "paper":
        return f"{grid} at paper scale: the setting as printed"
    return (
        f"{grid} at DEMO scale: small nets, a few of scikit-learn's 8 x 8 digits; "
        "the paper's setting: --scale paper --data-dir FOLDER"
    )


def _again(arguments: list[str]) -> str:
    """The command that goes on with an interrupted one: the same, but for --rerun."""
    kept = list(arguments)
    if "--rerun" in kept:
        at = kept.index("--rerun")
        del kept[at : at + 2]
    kept = [argument for argument in kept if not argument.startswith("--rerun=")]
    return shlex.join(["python", "study/run.py", *kept])


def _run(args: argparse.Namespace, uri: str, again: str) -> int:
    from study.tracking import Tracker, check_reachable

    if args.search and args.rerun:
        raise Invalid("--rerun: not together with --search; what is trained stays as it is")
    wanted = _wanted_searches(args) if args.search else []
    prepare.check_storage(args.storage)
    check_reachable(uri)
    storage, folder = Storage(args.storage.absolute()), args.data_dir.absolute()
    ready = partial(prepare.ready, folder=folder, formats=_formats(args))
    with lease(storage.root):
        plan, trials = _lay_out(args, ready)
        _check_selected(plan, args.only)
        chosen = _selected(plan, args)
        before = progress(storage, chosen)
        needed = chosen if args.rerun else (*before.started, *before.new)
        prepare.check_parts([t for t, i in trials.items() if i in needed], folder)
        searches = _searches(args, wanted, storage, plan, ready) if wanted else []
        if args.rerun:
            for trial_id in before.failed if args.rerun == "failed" else chosen:
                storage.trial(trial_id).clear()
        tracker = Tracker(uri, storage, plan, lambda: [i for s in searches for i in s.asked])
        tracker.start()
        try:
            lost: dict[str, str] = {}
            if searches:
                lost |= _search(args, storage, folder, searches)
                plan, trials = _with_winners(args, plan, trials, searches, ready)
                tracker.replan(plan)
            chosen = _selected(plan, args)
            before = progress(storage, chosen)
            print(
                f"{len(chosen)} trials in {len(plan.cells)} cells: {before.done} with a result, "
                f"{len(before.started)} to be resumed, {len(before.new)} new",
                flush=True,
            )
            todo = {i: t for t, i in trials.items() if i in (*before.started, *before.new)}
            lost |= _train(args, storage, folder, todo, chosen) if todo else {}
        except KeyboardInterrupt:
            print(f"\nstopped; to go on: {again}", flush=True)
            return 130
        finally:
            unwritten = tracker.stop()
        if unwritten:
            print(
                f"MLflow lacks {len(unwritten)} results ({tracker.behind}); to write them: {again}"
            )
        else:
            _show(plan, uri, storage, tracker, searches)
    for trial_id, reason in lost.items():
        print(f"error: trial {trial_id} has no result: {reason}", file=sys.stderr)
    hopeless = [search for search in searches if search.over and not search.best]
    for search in hopeless:
        print(f"error: every point failed: {search.name}", file=sys.stderr)
    wrong = lost or unwritten or hopeless or progress(storage, chosen).failed
    return 1 if wrong else 0


def _searches(
    args: argparse.Namespace,
    wanted: list[Shared],
    storage: Storage,
    plan: Plan,
    ready: Callable[[Trial], tuple[Trial, str]],
) -> list["Search"]:
    """The searches, opened. Raises Invalid for whatever is wrong with one of them."""
    from study import search

    url = args.search_storage or f"sqlite:///{storage.root / 'optuna.db'}"
    database = search.open_storage(url)
    options, rule = _search_options(args), search.objective(plan)
    searches = [
        search.Search(what, options, rule, plan.study, database, storage, ready) for what in wanted
    ]
    for one in searches:
        print(f"{_told(one.what)}: {one.told} of {args.search} points done", flush=True)
    return searches


def _search(
    args: argparse.Namespace, storage: Storage, folder: Path, searches: list["Search"]
) -> dict[str, str]:
    """Searches on Ray, if anything is left to train. Returns the same as `_train`."""
    from study import launch, search

    if any(one.pending() for one in searches):
        resources = _resources(args)
        with search.SearchLines(searches, sys.stdout):
            return launch.search(searches, storage, folder, resources)
    return {}


def _with_winners(
    args: argparse.Namespace,
    plan: Plan,
    trials: dict[Trial, str | None],
    searches: list["Search"],
    ready: Callable[[Trial], tuple[Trial, str]],
) -> tuple[Plan, dict[Trial, str | None]]:
    from study import search

    for one in searches:
        if one.over and one.best:
            end = f", exhausted after {one.spent} points" if one.exhausted else ""
            best = search.literal(one.winner(), one.what.space)
            print(f"{one.what.label}: validation accuracy {one.best.value:.2%}{end}\n  {best}")
    extended, won = search.tuned(plan, searches, _seeds(args), ready)
    return extended, trials | won


def _wanted_searches(args: argparse.Namespace) -> list[Shared]:
    from study import search

    if _seeds(args) > search.FIRST_SEED:
        valid = f"at most {search.FIRST_SEED} with --search, whose own seeds begin there"
        raise Invalid(f"--seeds = {_seeds(args)}: must be {valid}")
    return searches_of(args.grid, args.scale, tuple(args.set), args.search_space, tuple(args.only))


def _search_options(args: argparse.Namespace) -> "Options":
    from study import search

    return search.Options(args.search, args.search_seeds, args.sampler, args.search_seed)


def _told(what: Shared) -> str:
    """A search in a line: what it tunes, over which space."""
    space = ", ".join(f"{name} ({words})" for name, words in what.space.parameters.items())
    rows = f"{len(what.rows)} rows" if len(what.rows) > 1 else what.rows[0]
    return f"search of {what.column}, {what.label} ({rows}) over {space}"


def _seeds(args: argparse.Namespace) -> int:
    seeds: int = args.seeds or find(args.grid).seeds
    return seeds


def _train(
    args: argparse.Namespace, storage: Storage, folder: Path, todo: dict[str, Trial], ids: list[str]
) -> dict[str, str]:
    """Trains the trials on Ray. Returns why, by id, for those that ended without a result."""
    from study import launch

    resources = _resources(args)
    with Ticker(storage, todo, ids, sys.stdout):
        return launch.run(todo, storage, folder, resources)


def _resources(args: argparse.Namespace) -> "Resources":
    """What a trial gets of the cluster, which is connected to."""
    from study import launch

    launch.connect(args.address)
    wanted = launch.Resources(args.cpus_per_trial, args.gpus_per_trial, args.max_concurrent)
    return launch.fitted(wanted)


def _formats(args: argparse.Namespace) -> dict[str, str]:
    """What "auto" means where the trials will run: the cluster's GPUs, or a machine like this."""
    gpus = torch.cuda.is_available()
    if args.address:
        from study import launch

        launch.connect(args.address)
        gpus = launch.largest_node()["GPU"] > 0
    return formats_of("cuda" if gpus else "cpu")


def _lay_out(
    args: argparse.Namespace, ready: Callable[[Trial], tuple[Trial, str | None]]
) -> tuple[Plan, dict[Trial, str | None]]:
    return lay_out(args.grid, args.scale, args.seeds, tuple(args.set), ready)


def _check_selected(plan: Plan, only: list[str]) -> None:
    for row in only:
        if row not in plan.rows():
            raise unknown("--only: row", row, plan.rows())


def _selected(plan: Plan, args: argparse.Namespace) -> list[str]:
    """The ids of the rows that are asked for, and of their winners, each once."""
    only = set(args.only)
    cells = [cell for cell in plan.cells if not only or only & {cell.row, *cell.tunes}]
    return list(dict.fromkeys(i for cell in cells for i in cell.trials.values() if i))


def _dry_run(args: argparse.Namespace) -> int:
    folder, formats = args.data_dir.absolute(), _formats(args)
    missing: dict[str, None] = {}

    def ready(trial: Trial) -> tuple[Trial, str | None]:
        lacks = prepare.missing(trial.but(seed=0), folder)
        missing.update(dict.fromkeys(lacks))
        return (
            (trial.with_formats(formats), None) if lacks else prepare.ready(trial, folder, formats)
        )

    plan, trials = _lay_out(args, ready)
    _check_selected(plan, args.only)
    now = progress(Storage(args.storage.absolute()), _selected(plan, args))
    width = max(len(cell.row) for cell in plan.cells)
    for cell in plan.cells:
        ids = (f"{i} ({now.state(i)})" if i else "no id yet" for i in cell.trials.values())
        print(f"{cell.row:{width}}  {cell.column}: {', '.join(ids) or 'published only'}")
    for error in missing:
        print(f"missing: {error}")
    unknown_ids = sum(i is None for i in trials.values())
    print(
        f"{len(now.new)} trials are new, {len(now.started)} to be resumed, {len(now.finished)} "
        f"finished, {len(now.failed)} failed, {unknown_ids} without an id yet"
    )
    selected = [t for t, i in trials.items() if i is None or i in (*now.new, *now.started)]
    selected += _searched_trials(args, formats) if args.search else []
    _print_cost(args, selected)
    return 0


def _searched_trials(args: argparse.Namespace, formats: dict[str, str]) -> list[Trial]:
    """Says which searches there are. Returns trials like all of theirs, the winners' included."""
    from study import search

    trials, options = [], _search_options(args)
    wanted = _wanted_searches(args)
    for what in wanted:
        neutral = what.space.neutral.with_formats(formats)
        trials += [search.searched(neutral, search.FIRST_SEED)] * options.points * options.seeds
        trials += [neutral] * _seeds(args)
        print(_told(what))
    print(
        f"{len(wanted)} searches of {options.points} points x {options.seeds} seeds, and "
        f"{_seeds(args)} trials for each winner: at most {len(trials)} trials"
    )
    return trials


def _print_cost(args: argparse.Namespace, trials: list[Trial]) -> None:
    site = Site.here(args.data_dir.absolute(), threads=max(1, int(args.cpus_per_trial)))
    kinds: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        parts = (trial.data, trial.net, trial.head, trial.method)
        kinds.setdefault((*parts, trial.recipe.but(lr=1.0)), []).append(trial)
    total = 0.0
    for alike in kinds.values():
        one = estimate.cost(alike[0], site)
        total += one.seconds * len(alike)
        what = f"{alike[0].net!r} on {alike[0].data.source!r}"
        print(f"{len(alike)} trials x {clock(one.seconds)}, {one.mebibytes:,.0f} MiB: {what}")
    fit = 1 if site.device.type == "cuda" else int((os.cpu_count() or 1) / args.cpus_per_trial)
    at_once = max(1, min(fit, args.max_concurrent or len(trials), len(trials)))
    print(
        f"at most {clock(total)} of training on this machine's {site.device.type}, "
        f"about {clock(total / at_once)} with {at_once} at a time"
    )


def _status(args: argparse.Namespace, uri: str) -> int:
    from analysis import runs
    from study.tracking import check_reachable

    check_reachable(uri)
    plan = runs.plan(uri, study_name(args.grid, args.scale, tuple(args.set)))
    ids = plan.trials()
    recorded = runs.trials(uri, ids)
    states = dict.fromkeys(ids, "new") | recorded["status"].to_dict()
    epochs = recorded["epoch"].fillna(0).astype(int).to_dict() if "epoch" in recorded else {}
    for trial_id, state in states.items():
        of = recorded["recipe.epochs"].get(trial_id)
        print(f"{trial_id}  {state:8}  {f'epoch {epochs.get(trial_id, 0)}/{of}' if of else ''}")
    counts = Counter(states.values())
    print(f"{len(ids)} trials: {', '.join(f'{n} {state}' for state, n in counts.items())}")
    return 0


def _report(args: argparse.Namespace, uri: str) -> int:
    from analysis import runs
    from study.tracking import check_reachable

    check_reachable(uri)
    plan = runs.plan(uri, study_name(args.grid, args.scale, tuple(args.set)))
    _show(plan, uri, Storage(args.storage.absolute()), None, [])
    return 0


def _show(
    plan: Plan, uri: str, storage: Storage, tracker: "Tracker | None", searches: list["Search"]
) -> None:
    """Prints the table and writes the report, to the study's folder and to its MLflow run."""
    from analysis import report

    folder = storage.study(plan.study).path / "report"
    for old in folder.glob("*"):  # no figure of an older layout stays; the searches are read again
        if old.name != "searches.json":
            old.unlink()
    if searches:
        from study.search import summary

        summaries = [summary(one) for one in searches]
        storage.study(f"{plan.study}/report").write_json("searches.json", summaries)
    written = report.write(plan, uri, folder)
    if tracker:
        tracker.log_report(folder, written.markdown)
    print(f"\n{written.text}\n")
    print(f"report:    {written.html}")
    print(f"MLflow UI: mlflow ui --backend-store-uri {shlex.quote(uri)}")


if __name__ == "__main__":
    sys.exit(main())
