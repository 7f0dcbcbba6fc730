"""The study command: `python study/run.py --grid kesl_ablation`. `--help` lists what it takes."""

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from study import measured, prepare
from study.arguments import (
    HOME,
    check_selected,
    formats_there,
    laid_out,
    parser,
    search_options,
    search_storage,
    seeds_of,
    selected_cells,
    selected_ids,
    told,
    tracking_uri,
    wanted_searches,
)
from study.cleaning import clean
from study.dry_run import dry_run
from study.grid import Plan, Scale, find, grids, study_name
from study.lease import lease
from study.progress import Ticker, progress
from study.space import Shared
from study.stopping import leave, stoppable
from trainables.settings import Invalid, masked
from trainables.storage import Folder, Storage
from trainables.trial import Trial

if TYPE_CHECKING:
    from study.launch import Resources
    from study.search import Search
    from study.tracking import Tracker

STOP_SECONDS = 5.0  # for what is being written when the command is told to stop

# Ray, MLflow and the report are imported where they are first needed: what does without them, like
# an error in the arguments, is then there at once.


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns its exit code: 1 where a trial failed, 2 for bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with stoppable() as stop:
        try:
            return _main(arguments)
        except Invalid as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except OSError as error:
            print(f"error: {error}; to go on: {_again(arguments)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\n{stop}; to go on: {_again(arguments)}", flush=True)
            if "ray" in sys.modules:
                sys.modules["ray"].shutdown()
            return stop.exit_code


def _main(arguments: list[str]) -> int:
    args = parser().parse_args(arguments)
    if args.list:
        for name in grids():
            print(f"{name:22} {find(name).title}")
        return 0
    if args.clean:
        return _clean(args)
    if args.grid is None:
        raise Invalid(f"--grid is missing: valid are {', '.join(grids())}")
    find(args.grid)
    print(_headline(args.grid, args.scale), flush=True)
    uri = tracking_uri(args)
    if args.status:
        return _status(args, uri)
    if args.report:
        return _report(args, uri)
    if args.dry_run:
        return dry_run(args)
    return _run(args, uri, _again(arguments))


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
    return shlex.join(["python", "study/run.py", *map(masked, kept)])


def _run(args: argparse.Namespace, uri: str, again: str) -> int:
    from study.tracking import Tracker
    from study.tracking_client import FAILURES, check_reachable

    if args.search and args.rerun:
        raise Invalid("--rerun: not together with --search; what is trained stays as it is")
    wanted = wanted_searches(args) if args.search else []
    storage, folder = args.storage, args.data_dir.absolute()
    prepare.check_storage(storage)
    check_reachable(uri)
    database = search_storage(args) if wanted else ""
    ready = partial(prepare.ready, folder=folder, formats=formats_there(args))
    if args.address:
        from study import nodes

        nodes.check(storage)
    with lease(storage):
        plan, trials = laid_out(args, ready, partial(prepare.measured, folder=folder))
        check_selected(plan, args.only)
        chosen = selected_ids(plan, args)
        before = progress(storage, chosen)
        needed = chosen if args.rerun else (*before.started, *before.new)
        prepare.check_parts([t for t, i in trials.items() if i in needed], folder)
        searches = _searches(args, wanted, database, plan, ready) if wanted else []
        if args.rerun:
            again_ids = before.failed if args.rerun == "failed" else chosen
            taught = (t for trial, i in trials.items() if i in again_ids for t in trial.teachers())
            failed_teachers = progress(storage, [teacher.id for teacher in taught]).failed
            for trial_id in dict.fromkeys((*again_ids, *failed_teachers)):
                storage.trial(trial_id).clear()
            shown = measured.wanted(selected_cells(plan, args))
            measured.forget(measured.failed(shown, storage), storage)
        tracker = Tracker(
            uri,
            storage,
            plan,
            searched=lambda: [i for s in searches for i in s.asked],
            pruned=lambda: [
                i for s in searches for i in s.pruned if not any(o.waits_for(i) for o in searches)
            ],
        )
        tracker.start()
        within = None
        try:
            lost: dict[str, str] = {}
            hopeless: list[str] = []
            if searches:
                from study.search_database import database_at

                lost |= _search(args, storage, folder, searches, tracker)
                with database_at(database):
                    plan, trials = _with_winners(args, plan, trials, searches, ready)
                    hopeless = [one.name for one in searches if one.over and not one.best]
                tracker.replan(plan)
            chosen = selected_ids(plan, args)
            before = progress(storage, chosen)
            print(
                f"{len(chosen)} trials in {len(plan.cells)} cells: {before.done} with a result, "
                f"{len(before.started)} to be resumed, {len(before.new)} new",
                flush=True,
            )
            todo = {i: t for t, i in trials.items() if i in (*before.started, *before.new)}
            lost |= _train(args, storage, folder, todo, chosen, tracker) if todo else {}
            shown = measured.wanted(selected_cells(plan, args))
            unmeasured = _measure(args, storage, folder, plan, trials, shown)
        except KeyboardInterrupt:
            within = STOP_SECONDS
            raise
        finally:
            unwritten = tracker.stop(within)
        away = tracker.behind
        if away is None:
            try:
                _show(args, plan, uri, storage, tracker, searches)
            except (*FAILURES, Invalid) as error:
                away = error
    for trial_id, reason in lost.items():
        print(f"error: trial {trial_id} has no result: {reason}", file=sys.stderr)
    for trial_id, reason in unmeasured.items():
        print(f"error: measures of trial {trial_id} were lost: {reason}", file=sys.stderr)
    for name in hopeless:
        print(f"error: every point failed or was pruned: {name}", file=sys.stderr)
    sys.stderr.flush()
    if away:
        why = masked((str(away) or type(away).__name__).splitlines()[0])
        print(f"no report ({why}): MLflow lacks {len(unwritten)} runs; to write them: {again}")
    failed = progress(storage, chosen).failed or measured.failed(shown, storage)
    return 1 if lost or unmeasured or away or hopeless or failed else 0


def _searches(
    args: argparse.Namespace,
    wanted: list[Shared],
    url: str,
    plan: Plan,
    ready: Callable[[Trial], tuple[Trial, str]],
) -> list["Search"]:
    """The searches, opened. Raises Invalid for whatever is wrong with one of them."""
    from study import search
    from study.search_database import database_at, open_storage

    database = open_storage(url)
    options, rule = search_options(args), search.objective(plan)
    with database_at(url):
        searches = [
            search.Search(what, options, rule, plan.study, database, args.storage, ready)
            for what in wanted
        ]
        for one in searches:
            print(f"{told(one.what)}: {one.told} of {args.search} points done", flush=True)
    return searches


def _search(
    args: argparse.Namespace,
    storage: Storage,
    folder: Path,
    searches: list["Search"],
    tracker: "Tracker",
) -> dict[str, str]:
    """Searches on Ray, if anything is left to train. Returns the same as `_train`."""
    from study import launch
    from study.search_database import database_at
    from study.search_results import SearchLines

    with database_at(search_storage(args)):
        if not any(one.pending() for one in searches):
            return {}
        resources = _resources(args)
        with SearchLines(searches, sys.stdout):
            return launch.run(searches, storage, folder, resources, tracker.begun)


def _with_winners(
    args: argparse.Namespace,
    plan: Plan,
    trials: dict[Trial, str | None],
    searches: list["Search"],
    ready: Callable[[Trial], tuple[Trial, str]],
) -> tuple[Plan, dict[Trial, str | None]]:
    from study.search_results import literal, tuned

    for one in searches:
        if one.over and one.best:
            end = f", exhausted after {one.spent} points" if one.exhausted else ""
            end += f", {len(one.pruned)} points pruned: {one.budget}" if one.pruned else ""
            best = literal(one.winner(), one.what.space)
            print(f"{one.what.label}: validation accuracy {one.best.value:.2%}{end}\n  {best}")
    extended, won = tuned(plan, searches, seeds_of(args), ready)
    return extended, trials | won


def _train(
    args: argparse.Namespace,
    storage: Storage,
    folder: Path,
    todo: dict[str, Trial],
    ids: list[str],
    tracker: "Tracker",
) -> dict[str, str]:
    """Trains the trials on Ray. Returns why, by id, for those that ended without a result."""
    from study import feed, launch

    resources = _resources(args)
    queue = feed.queue(todo, storage)
    tracker.follow(queue.trials)
    with Ticker(storage, queue.trials, list(dict.fromkeys((*ids, *queue.trials))), sys.stdout):
        return launch.run([queue], storage, folder, resources, tracker.begun)


def _measure(
    args: argparse.Namespace,
    storage: Storage,
    folder: Path,
    plan: Plan,
    trials: dict[Trial, str | None],
    shown: list[measured.Wanted],
) -> dict[str, str]:
    """Computes on Ray what is shown and lacking. Returns why, by trial id, for what was lost."""
    todo = measured.lacking(shown, storage)
    if not todo:
        return {}
    from study import measuring

    jobs = measured.jobs(todo, plan, trials, partial(prepare.measured, folder=folder))
    resources = _resources(args)
    with measuring.MeasureLines(shown, storage, sys.stdout):
        return measuring.run(jobs, storage, folder, resources)


def _resources(args: argparse.Namespace) -> "Resources":
    """What a trial gets of the cluster, which is connected to."""
    from study import launch

    launch.connect(args.address)
    wanted = launch.Resources(
        args.cpus_per_trial, args.gpus_per_trial, args.max_concurrent, args.stall_limit
    )
    return launch.fitted(wanted)


def _clean(args: argparse.Namespace) -> int:
    """Of all studies in the storage."""
    for option in ("status", "report", "rerun", "search"):
        if getattr(args, option):
            raise Invalid(f"--{option}: not together with --clean")
    storage = args.storage
    if args.dry_run:
        files, size = clean(storage, only_tell=True)
    else:
        prepare.check_storage(storage)
        with lease(storage):
            files, size = clean(storage)
    said = "would be removed" if args.dry_run else "removed"
    print(f"{files} files, {size:,} bytes, of finished trials {said} from {storage}")
    return 0


def _status(args: argparse.Namespace, uri: str) -> int:
    from analysis import runs, status
    from study.tracking_client import check_reachable, reading

    check_reachable(uri)
    with reading(uri):
        plan = runs.plan(uri, study_name(args.grid, args.scale, tuple(args.set)))
        recorded = runs.trials(uri, plan.trials())
        ends = runs.epoch_ends(uri, status.running(recorded))
    print(status.text(plan, recorded, ends, time.time()))
    return 0


def _report(args: argparse.Namespace, uri: str) -> int:
    from analysis import runs
    from study.tracking_client import check_reachable, reading

    check_reachable(uri)
    with reading(uri):
        plan = runs.plan(uri, study_name(args.grid, args.scale, tuple(args.set)))
        _show(args, plan, uri, args.storage, None, [])
    return 0


def _show(
    args: argparse.Namespace,
    plan: Plan,
    uri: str,
    storage: Storage,
    tracker: "Tracker | None",
    searches: list["Search"],
) -> None:
    """Prints the table and writes the report, to the study's folder and to its MLflow run."""
    from analysis import report

    shelf = storage.study(plan.study) / "report"
    folder = shelf.path or HOME / "reports" / plan.study  # of S3, a copy to look at
    for old in folder.glob("*"):  # no figure of an older layout stays; the searches are read again
        if old.name != "searches.json" or shelf.path is None:
            old.unlink()
    if searches:
        from study.search_database import database_at
        from study.search_results import summary

        with database_at(search_storage(args)):
            shelf.write_json("searches.json", [summary(one) for one in searches])
    if shelf.path is None and (summaries := shelf.read("searches.json")):
        Folder(folder).write("searches.json", summaries)
    written = report.write(plan, uri, folder, args.price_per_hour)
    if shelf.path is None:
        for file in written.files:
            shelf.write(file.name, file.read_bytes())
        for name in {*shelf.names("*")} - {file.name for file in written.files}:
            if name != "searches.json":
                shelf.remove(name)
    if tracker:
        tracker.log_report(folder, written.markdown)
    print(f"\n{written.text}\n")
    print(f"report:    {written.html}")
    served = uri.startswith("http")
    command = f"mlflow ui --backend-store-uri {shlex.quote(masked(uri))}"
    print(f"MLflow UI: {masked(uri) if served else command}")


if __name__ == "__main__":
    code = main()
    if code > 128:
        leave(code)
    sys.exit(code)
