"""The study command: `python study/run.py --grid kesl_ablation`. `--help` lists what it takes."""

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.plan import Plan, Scale
from study.arguments import HOME, parsed, wanted_searches
from study.cleaning import clean
from study.databases import in_new_storage, search_storage, tracking_uri
from study.grids.grid import find, grids
from study.grids.lay_out import study_name
from study.lease import lease
from study.preflight import prepare
from study.preflight.dry_run import dry_run
from study.running.cluster import formats_there
from study.search.sharing import SharedSearch
from study.stopping import leave, stoppable
from trainables.settings import Invalid, masked
from trainables.storage.folder import Folder

if TYPE_CHECKING:
    from study.search.search import Search
    from study.tracking.tracker import Tracker

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
    args = parsed(arguments)
    if args.list:
        width = max(map(len, grids()))
        for name in grids():
            print(f"{name:{width}}  {find(name).title}")
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
        return dry_run(args, _checked(args, uri))
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
    return shlex.join([_python(), "study/run.py", *map(masked, kept)])


def _python() -> str:
    """This environment's, as it is to be called where it is not the active one, too."""
    found = shutil.which("python")
    here = Path(sys.executable)
    return "python" if found and Path(found).parent == here.parent else str(here)


def _run(args: argparse.Namespace, uri: str, again: str) -> int:
    from analysis.records import FAILURES
    from study.session import Session

    if args.search and args.rerun:
        raise Invalid("--rerun: not together with --search; what is trained stays as it is")
    wanted = _checked(args, uri)
    formats = formats_there(args)
    if args.address:
        from study.running import nodes

        nodes.check(args.storage)
    with lease(args.storage):
        session = Session(args, uri, formats, wanted)
        session.work()
        away = session.tracker.behind
        if away is None:
            try:
                _show(args, session.plan, uri, session.tracker, session.searches)
            except (*FAILURES, Invalid) as error:
                away = error
    for trial_id, reason in session.lost.items():
        print(f"error: trial {trial_id} has no result: {reason}", file=sys.stderr)
    for trial_id, reason in session.unmeasured.items():
        print(f"error: measures of trial {trial_id} were lost: {reason}", file=sys.stderr)
    for name in session.hopeless:
        print(f"error: every point failed or was pruned: {name}", file=sys.stderr)
    sys.stderr.flush()
    if away:
        why = masked((str(away) or type(away).__name__).splitlines()[0])
        lacks = f"MLflow lacks {len(session.unwritten)} runs"
        print(f"no report ({why}): {lacks}; to write them: {again}")
    missing = session.lost or session.unmeasured or session.hopeless
    return 1 if missing or away or session.failed else 0


def _checked(args: argparse.Namespace, uri: str) -> list[SharedSearch]:
    """The searches that are wanted.

    Raises Invalid where they, the storage or a database cannot be used. A dry run writes nothing.
    """
    from study.tracking.client import check_reachable

    wanted = wanted_searches(args) if args.search else []
    database = search_storage(args) if wanted else None
    prepare.check_storage(args.storage, writes=not args.dry_run)
    if not in_new_storage(uri, args.storage):
        check_reachable(uri)
    if database and not in_new_storage(database, args.storage):
        from study.search.database import check_database

        check_database(database)
    return wanted


def _clean(args: argparse.Namespace) -> int:
    """Of all studies in the storage."""
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
    from study.tracking.client import check_reachable, reading

    check_reachable(uri)
    with reading(uri):
        plan = runs.plan(uri, study_name(args.grid, args.scale, tuple(args.set)))
        recorded = runs.trials(uri, plan.trials())
        others = runs.others(uri, plan)
        ends = runs.epoch_ends(uri, [*status.running(recorded), *status.running(others)])
    print(status.text(plan, recorded, others, ends, time.time()))
    return 0


def _report(args: argparse.Namespace, uri: str) -> int:
    from analysis import runs
    from study.tracking.client import check_reachable, reading

    check_reachable(uri)
    with reading(uri):
        plan = runs.plan(uri, study_name(args.grid, args.scale, tuple(args.set)))
        _show(args, plan, uri)
    return 0


def _show(
    args: argparse.Namespace,
    plan: Plan,
    uri: str,
    tracker: "Tracker | None" = None,
    searches: Sequence["Search"] = (),
) -> None:
    """Prints the table and writes the report, to the study's folder and to its MLflow run."""
    from analysis import report

    shelf = args.storage.study(plan.study) / "report"
    folder = shelf.path or HOME / "reports" / plan.study  # of S3, a copy to look at
    for old in folder.glob("*"):  # no figure of an older layout stays; the searches stay
        if old.name != "searches.json" or shelf.path is None:
            old.unlink()
    found = None  # the tracker's, whatever is in this storage
    if searches:
        from study.search.database import database_at
        from study.search.winners import summary

        with database_at(search_storage(args)):
            shelf.write_json("searches.json", [summary(one) for one in searches])
        found = shelf.read_json("searches.json")
    if shelf.path is None and (summaries := shelf.read("searches.json")):
        Folder(folder).write("searches.json", summaries)
    written = report.write(plan, uri, folder, args.price_per_hour, found)
    if shelf.path is None:
        for file in written.files:
            shelf.write(file.name, file.read_bytes())
        for name in {*shelf.names("*")} - {file.name for file in written.files}:
            if name != "searches.json":
                shelf.remove(name)
    if tracker:
        tracker.log_report(folder, written.markdown)
    print(f"\n{written.text}\n")
    print(f"spent:     {written.spent}")
    print(f"report:    {written.html}")
    served = uri.startswith("http")
    command = shlex.join([_python(), "-m", "mlflow", "ui", "--backend-store-uri", masked(uri)])
    print(f"MLflow UI: {masked(uri) if served else command}")


if __name__ == "__main__":
    code = main()
    if code > 128:
        leave(code)
    sys.exit(code)
