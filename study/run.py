"""The study command: `python study/run.py --grid kesl_ablation`. `--help` lists what it takes."""

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from study import measured, prepare
from study.arguments import (
    check_selected,
    formats_there,
    laid_out,
    parser,
    search_options,
    seeds_of,
    selected_cells,
    selected_ids,
    told,
    wanted_searches,
)
from study.dry_run import dry_run
from study.grid import Plan, Scale, find, grids, study_name
from study.lease import lease
from study.progress import Ticker, progress
from study.space import Shared
from trainables.settings import Invalid
from trainables.storage import Storage
from trainables.trial import Trial

if TYPE_CHECKING:
    from study.launch import Resources
    from study.search import Search
    from study.tracking import Tracker

# Ray, MLflow and the report are imported where they are first needed: what does without them, like
# an error in the arguments, is then there at once.


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
            return dry_run(args)
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
    wanted = wanted_searches(args) if args.search else []
    prepare.check_storage(args.storage)
    check_reachable(uri)
    storage, folder = Storage(args.storage.absolute()), args.data_dir.absolute()
    ready = partial(prepare.ready, folder=folder, formats=formats_there(args))
    with lease(storage.root):
        plan, trials = laid_out(args, ready, partial(prepare.measured, folder=folder))
        check_selected(plan, args.only)
        chosen = selected_ids(plan, args)
        before = progress(storage, chosen)
        needed = chosen if args.rerun else (*before.started, *before.new)
        prepare.check_parts([t for t, i in trials.items() if i in needed], folder)
        searches = _searches(args, wanted, storage, plan, ready) if wanted else []
        if args.rerun:
            for trial_id in before.failed if args.rerun == "failed" else chosen:
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
        try:
            lost: dict[str, str] = {}
            if searches:
                lost |= _search(args, storage, folder, searches)
                plan, trials = _with_winners(args, plan, trials, searches, ready)
                tracker.replan(plan)
            chosen = selected_ids(plan, args)
            before = progress(storage, chosen)
            print(
                f"{len(chosen)} trials in {len(plan.cells)} cells: {before.done} with a result, "
                f"{len(before.started)} to be resumed, {len(before.new)} new",
                flush=True,
            )
            todo = {i: t for t, i in trials.items() if i in (*before.started, *before.new)}
            lost |= _train(args, storage, folder, todo, chosen) if todo else {}
            shown = measured.wanted(selected_cells(plan, args))
            unmeasured = _measure(args, storage, folder, plan, trials, shown)
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
    for trial_id, reason in unmeasured.items():
        print(f"error: measures of trial {trial_id} were lost: {reason}", file=sys.stderr)
    hopeless = [search for search in searches if search.over and not search.best]
    for search in hopeless:
        print(f"error: every point failed or was pruned: {search.name}", file=sys.stderr)
    failed = progress(storage, chosen).failed or measured.failed(shown, storage)
    return 1 if lost or unmeasured or unwritten or hopeless or failed else 0


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
    options, rule = search_options(args), search.objective(plan)
    searches = [
        search.Search(what, options, rule, plan.study, database, storage, ready) for what in wanted
    ]
    for one in searches:
        print(f"{told(one.what)}: {one.told} of {args.search} points done", flush=True)
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
            end += f", {len(one.pruned)} points pruned: {one.budget}" if one.pruned else ""
            best = search.literal(one.winner(), one.what.space)
            print(f"{one.what.label}: validation accuracy {one.best.value:.2%}{end}\n  {best}")
    extended, won = search.tuned(plan, searches, seeds_of(args), ready)
    return extended, trials | won


def _train(
    args: argparse.Namespace, storage: Storage, folder: Path, todo: dict[str, Trial], ids: list[str]
) -> dict[str, str]:
    """Trains the trials on Ray. Returns why, by id, for those that ended without a result."""
    from study import launch

    resources = _resources(args)
    with Ticker(storage, todo, ids, sys.stdout):
        return launch.run(todo, storage, folder, resources)


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
    wanted = launch.Resources(args.cpus_per_trial, args.gpus_per_trial, args.max_concurrent)
    return launch.fitted(wanted)


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
    served = uri.startswith("http")
    command = f"mlflow ui --backend-store-uri {shlex.quote(uri)}"
    print(f"MLflow UI: {uri if served else command}")


if __name__ == "__main__":
    sys.exit(main())
