"""Reporting: what a command says that trains nothing, and the table that every study ends with."""

import shlex
import time
from collections.abc import Sequence
from typing import Any

from pandas import DataFrame

from analysis import report as reports
from analysis import runs
from analysis import status as states
from analysis.home import HOME
from analysis.plan import Plan
from study import cleaning
from study.databases import search_storage, tracking_uri
from study.grids.grid import find, grids
from study.interpreter import python
from study.lease import lease
from study.outcome import Outcome
from study.preflight.prepare import check_storage
from study.request import Request
from study.selected import check_selected, study_of
from study.terminal import fitted
from study.tracking.client import check_reachable, reading
from study.tracking.relocation import settle
from study.tracking.tracker import Tracker
from trainables.settings import Invalid, masked
from trainables.storage.claims import running
from trainables.storage.folder import Folder


def list_grids() -> int:
    """Prints the name and title of each grid."""
    width = max(map(len, grids()))
    for name in grids():
        print(f"{name:{width}}  {find(name).title}")
    return 0


def headline(request: Request) -> None:
    """Prints which study it is. Raises Invalid for an unknown grid."""
    if not request.grid:
        raise Invalid(f"--grid is missing: valid are {', '.join(grids())}")
    grid = find(request.grid)
    if grid.demo is None:
        print(f"{request.grid}: the setting as written, on data of your own", flush=True)
        return
    if request.scale == "paper":
        how = "printed" if grid.paper else "written"
        print(f"{request.grid} at paper scale: the setting as {how}", flush=True)
        return
    whose = "the paper's" if grid.paper else "the written"
    print(
        f"{request.grid} at DEMO scale: small nets, a few of scikit-learn's 8 x 8 digits; "
        f"{whose} setting: --scale paper --data-dir FOLDER",
        flush=True,
    )


def clean(request: Request) -> int:
    """Removes what finished trials of all studies in the storage no longer need; tells how much."""
    storage = request.storage
    if request.dry_run:
        files, size = cleaning.clean(storage, only_tell=True)
    else:
        check_storage(storage)
        with lease(storage, "cleaning") as command:
            files, size = cleaning.clean(storage, command=command)
    said = "would be removed" if request.dry_run else "removed"
    print(f"{files} files, {size:,} bytes, of finished trials {said} from {storage}")
    return 0


def status(request: Request) -> str:
    """How far each trial is, a line each, from the tracker alone."""
    uri = tracking_uri(request)
    request.storage.check_layout()
    settle(uri, request.storage)
    check_reachable(uri)
    with reading(uri):
        plan = _recorded(request, uri)
        recorded = runs.trials(uri, plan.trials())
        others = runs.others(uri, plan)
        ends = runs.epoch_ends(uri, [*states.running(recorded), *states.running(others)])
    return states.text(plan, recorded, others, ends, time.time())


def studies(request: Request) -> str:
    """How far each study in the storage is, a line each, and whose command trains it."""
    uri = tracking_uri(request)
    request.storage.check_layout()
    settle(uri, request.storage)
    check_reachable(uri)
    owners: dict[str, list[str]] = {}
    for record in running(request.storage).values():
        owner = f"host {record['host']}, process {record['process']}"
        owners.setdefault(record["study"], []).append(owner)
    with reading(uri):
        plans = runs.studies(uri)
        recorded = runs.trials(uri, [i for plan in plans for i in plan.trials()])
    return states.studies(plans, recorded, owners)


def report(request: Request) -> Outcome:
    """Prints the table of what is recorded, and writes its report."""
    uri = tracking_uri(request)
    request.storage.check_layout()
    settle(uri, request.storage)
    check_reachable(uri)
    with reading(uri):
        return show(request, _recorded(request, uri), uri)


def _recorded(request: Request, uri: str) -> Plan:
    """The study's plan, of the rows and seeds that are asked for."""
    plan = runs.plan(uri, study_of(request))
    check_selected(plan, request.only)
    return plan.of(request.only, request.seeds)


def show(
    request: Request,
    plan: Plan,
    uri: str,
    tracker: Tracker | None = None,
    searches: Sequence[Any] = (),
) -> Outcome:
    """Prints the table and writes the report, to the study's folder and to its MLflow run."""
    # A report of some rows or seeds, which only `report` shows, never replaces that of the study.
    name = "selected" if tracker is None and (request.only or request.seeds) else "report"
    shelf = request.storage.study(plan.study) / name
    folder = shelf.path or HOME / f"{name}s" / plan.study  # of S3, a copy to look at
    found = None  # the tracker's, whatever is in this storage
    if searches:
        from study.search.database import database_at
        from study.search.winners import summary

        with database_at(search_storage(request)):
            shelf.write_json("searches.json", [summary(one) for one in searches])
        found = shelf.read_json("searches.json")
    if shelf.path is None and (summaries := shelf.read("searches.json")):
        Folder(folder).write("searches.json", summaries)

    def tell(text: reports.Text) -> None:
        print(f"\n{fitted(text, folder / 'table.txt')}\n", flush=True)

    written = reports.write(plan, uri, folder, request.price_per_hour, found, tell)
    for old in set(folder.glob("*")) - set(written.files):  # no figure of an older layout stays
        if old.name != "searches.json":
            old.unlink(missing_ok=True)
    if shelf.path is None:
        for file in written.files:
            shelf.write(file.name, file.read_bytes())
        for name in {*shelf.names("*")} - {file.name for file in written.files}:
            if name != "searches.json":
                shelf.remove(name)
    if tracker:
        tracker.log_report(folder, written.markdown)
    print(f"spent:     {written.spent}")
    print(f"report:    {written.html}")
    served = uri.startswith("http")
    command = shlex.join([python(), "-m", "mlflow", "ui", "--backend-store-uri", masked(uri)])
    print(f"MLflow UI: {masked(uri) if served else command}")
    return Outcome(plan, uri, _all_finished(written.cells), written.html, written.cells)


def _all_finished(cells: DataFrame) -> bool:
    """Whether no trial of the table has failed, runs or is missing."""
    return bool((cells[["failed", "running", "missing"]] == "").all(axis=None))
