"""What the tracker has recorded, as pandas frames: one row a trial, one row an epoch."""

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pandas as pd
from mlflow.entities import Run
from pandas import DataFrame

from analysis.home import HOME
from analysis.plan import Plan
from analysis.records import MlflowClient, MlflowException, experiment_of, runs_of
from trainables.settings import Invalid, masked, unknown
from trainables.storage import names

SQLITE = "sqlite:///"
SNAPSHOT = re.compile(r"soft_labels-(\d+)\.csv")  # after so many epochs
OF_METHOD = re.compile(r"method-(\w+?)(?:-(\d+))?\.csv")  # its name, and after how many
RANK = {"finished": 2, "failed": 1}  # of two runs with one trial id, the one further on counts

Content = TypeVar("Content")


def default_tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or else the database in the study command's default storage."""
    local = f"{SQLITE}{HOME}/mlflow.db"
    return os.environ.get("MLFLOW_TRACKING_URI", local)


def plan(tracking_uri: str, study: str) -> Plan:
    """How the study was laid out. Raises Invalid, with the names that exist, if it is unknown."""
    client = _connect(tracking_uri)
    found = _plan(client, _parent(client, study))
    if found is None:
        raise Invalid(f"study {study!r} has no plan.json in {masked(tracking_uri)}")
    return found


def studies(tracking_uri: str) -> list[Plan]:
    """How every study was laid out, the oldest first."""
    client = _connect(tracking_uri)
    plans = [_plan(client, run) for run in _search(client, "tags.kind = 'study'")]
    return [plan for plan in reversed(plans) if plan]


def searches(tracking_uri: str, study: str) -> list[dict[str, Any]]:
    """The study's searches, as its newest report had them. Raises Invalid if it is unknown."""
    client = _connect(tracking_uri)
    text = _artifact(client, _parent(client, study), "report/searches.json", Path.read_text)
    found: list[dict[str, Any]] = json.loads(text or "[]")
    return found


def trials(tracking_uri: str, ids: Sequence[str]) -> DataFrame:
    """The recorded ones of the trials `ids`, in that order, one row each; the index is `trial_id`.

    Columns: run_id, started (ms since 1970), stopped (its command ended before it), the tags
    (status, reason, host, ...), the settings by their dotted names, and the newest value of each
    metric, NaN where a trial lacks it.
    """
    wanted = dict.fromkeys(ids)
    # MLflow has no `tags.trial_id IN (...)`: one id is asked for, of several all runs are read.
    which = f"tags.trial_id = '{ids[0]}'" if len(wanted) == 1 else "tags.kind = 'trial'"
    rows = _rows(tracking_uri, which, wanted.__contains__)
    return _frame([rows[i] for i in wanted if i in rows])


def others(tracking_uri: str, plan: Plan) -> DataFrame:
    """The trials that the study ran first and that stand in no cell: those of its searches."""
    cells = set(plan.trials())
    which = f"tags.kind = 'trial' and tags.`grid.{plan.grid}` = '{plan.study}'"
    rows = _rows(tracking_uri, which, lambda trial_id: trial_id not in cells)
    return _frame(list(rows.values()))


def histories(tracking_uri: str, ids: Sequence[str], metrics: Sequence[str]) -> DataFrame:
    """Columns trial_id, epoch, metric, value: every recorded epoch, the newest value of each."""
    client = _connect(tracking_uri)
    recorded = trials(tracking_uri, ids)
    points = [
        (trial_id, point.step, metric, point.value)
        for metric in metrics
        if metric in recorded
        for trial_id, run_id in recorded["run_id"][recorded[metric].notna()].items()
        for point in sorted(client.get_metric_history(run_id, metric), key=lambda p: p.timestamp)
    ]
    frame = DataFrame(points, columns=["trial_id", "epoch", "metric", "value"])
    newest = frame.drop_duplicates(["trial_id", "epoch", "metric"], keep="last")
    return newest.sort_values(["trial_id", "metric", "epoch"], ignore_index=True)


def epoch_ends(tracking_uri: str, run_ids: Sequence[str]) -> dict[str, list[float]]:
    """When each epoch ended, in seconds since 1970, by run; of a trial run again, the new ones."""
    client = _connect(tracking_uri)
    ends: dict[str, list[float]] = {}
    for run_id in run_ids:
        ends[run_id] = []
        points = client.get_metric_history(run_id, "epoch")
        for point in sorted(points, key=lambda p: (p.timestamp, p.step)):
            if point.step == 1:
                ends[run_id] = []
            ends[run_id].append(point.timestamp / 1000)
    return ends


def soft_labels(tracking_uri: str, trial_id: str) -> DataFrame | None:
    """The soft labels of a trial, (classes, classes), a distribution a row; None if it has none."""
    frame = _artifact_of(tracking_uri, trial_id, names.SOFT_LABELS, pd.read_csv)
    return None if frame is None else frame.set_axis(frame.columns)


def learned_soft_labels(tracking_uri: str, trial_id: str) -> dict[int, DataFrame]:
    """Those that a trial had learned by some of its epochs, by epoch; none where they are fixed."""
    read = {int(n[1]): f for n, f in _named(tracking_uri, trial_id, SNAPSHOT, pd.read_csv)}
    return {epoch: read[epoch].set_axis(read[epoch].columns) for epoch in sorted(read)}


def of_method(tracking_uri: str, trial_id: str) -> dict[tuple[str, int | None], DataFrame]:
    """What a trial's method told of itself: tables by name and epoch; None stands for the end."""
    return {
        (name[1], int(name[2]) if name[2] else None): table
        for name, table in _named(tracking_uri, trial_id, OF_METHOD, _read_images)
    }


def features(tracking_uri: str, trial_id: str, measure: str) -> DataFrame | None:
    """What the measure with that label kept, with a column label; None if it kept nothing."""
    return _artifact_of(tracking_uri, trial_id, names.features(measure), _read_features)


def wrong_labels(tracking_uri: str, trial_id: str) -> DataFrame | None:
    """The images that had a wrong label in a trial; None where no rule was to make some.

    Columns: split ("train" or "validation"), row (the image's place in the data set's training
    part), clean and given (its label there and in the trial, as places in the classes' names).
    """
    return _artifact_of(tracking_uri, trial_id, names.WRONG_LABELS, pd.read_csv)


def class_counts(tracking_uri: str, trial_id: str) -> DataFrame | None:
    """Training images of each class; None where nothing was to make the classes unequal.

    Columns: class (its name), images (by true labels), given (by the labels trained on).
    """
    return _artifact_of(tracking_uri, trial_id, names.CLASS_COUNTS, _read_counts)


def _read_counts(path: Path) -> DataFrame:
    return pd.read_csv(path, dtype={"class": str}, keep_default_na=False)


def _read_images(path: Path) -> DataFrame:
    return pd.read_csv(path, dtype={"given": str, "clean": str}, keep_default_na=False)


def _read_features(path: Path) -> DataFrame:
    """A class may be called "nan" or "7": names stay text."""
    return pd.read_csv(path, dtype={"label": str}, keep_default_na=False)


def _connect(tracking_uri: str) -> MlflowClient:
    """Raises Invalid for a database that does not exist: MLflow would make an empty one."""
    if tracking_uri.startswith(SQLITE) and not Path(tracking_uri.removeprefix(SQLITE)).is_file():
        raise Invalid(f"--tracking-uri {tracking_uri!r}: there is no such database")
    return MlflowClient(tracking_uri)


def _parent(client: MlflowClient, study: str) -> Run:
    """The study's run. Raises Invalid, with the names that exist, if it is unknown."""
    newest_first = list(_search(client, "tags.kind = 'study'"))
    parents = {run.data.tags["study"]: run for run in reversed(newest_first)}
    if study not in parents:
        raise unknown("study", study, sorted(parents))
    return parents[study]


def _plan(client: MlflowClient, run: Run) -> Plan | None:
    """None where its command was killed before it had one."""
    text = _artifact(client, run, "plan.json", Path.read_text)
    return None if text is None else Plan.from_json(json.loads(text))


def _search(client: MlflowClient, which: str) -> Iterator[Run]:
    """All runs that pass the filter, the newest first. Raises Invalid if nothing answers."""
    try:
        experiment = experiment_of(client)
        if experiment is None:
            return
        if experiment.lifecycle_stage == "deleted":
            what = f"the experiment {experiment.name!r} was deleted in MLflow"
            raise Invalid(f"{what}: restore it there, or run the study again, which restores it")
        for page in runs_of(client, experiment.experiment_id, which):
            yield from page
    except MlflowException as error:
        first = str(error).splitlines()[0]
        line = f"--tracking-uri {client.tracking_uri!r} cannot be read: {first}"
        raise Invalid(masked(line)) from error


def _artifact_of(
    tracking_uri: str, trial_id: str, name: str, read: Callable[[Path], Content]
) -> Content | None:
    """A file of the trial's run; None where it or the trial is not recorded."""
    recorded = trials(tracking_uri, [trial_id])
    if recorded.empty:
        return None
    client = _connect(tracking_uri)
    return _artifact(client, client.get_run(recorded["run_id"].iloc[0]), name, read)


def _named(
    tracking_uri: str, trial_id: str, pattern: re.Pattern[str], read: Callable[[Path], Content]
) -> Iterator[tuple[re.Match[str], Content]]:
    """The files of the trial's run whose names match; none where it is not recorded."""
    recorded = trials(tracking_uri, [trial_id])
    if recorded.empty:
        return
    client = _connect(tracking_uri)
    run = client.get_run(recorded["run_id"].iloc[0])
    for entry in client.list_artifacts(run.info.run_id):
        name = pattern.fullmatch(entry.path)
        if name and (content := _artifact(client, run, entry.path, read)) is not None:
            yield name, content


def _artifact(
    client: MlflowClient, run: Run, name: str, read: Callable[[Path], Content]
) -> Content | None:
    folder = name.rpartition("/")[0] or None
    if name not in (entry.path for entry in client.list_artifacts(run.info.run_id, folder)):
        return None
    with TemporaryDirectory() as here:
        return read(Path(client.download_artifacts(run.info.run_id, name, here)))


def _rows(
    tracking_uri: str, which: str, wanted: Callable[[str], bool]
) -> dict[str, dict[str, Any]]:
    """By trial id; of several runs with one id, the one further on."""
    rows: dict[str, dict[str, Any]] = {}
    for run in _search(_connect(tracking_uri), which):
        trial_id = run.data.tags["trial_id"]
        if wanted(trial_id):
            row = _row(run)
            old = rows.get(trial_id)
            if old is None or _precedence(row) > _precedence(old):
                rows[trial_id] = row
    return rows


def _frame(rows: Sequence[dict[str, Any]]) -> DataFrame:
    first = ["trial_id", "run_id", "started", "stopped", "status", "reason"]
    columns = dict.fromkeys(first + [name for row in rows for name in row])
    return DataFrame(rows, columns=list(columns)).set_index("trial_id")


def _row(run: Run) -> dict[str, Any]:
    tags = {name: v for name, v in run.data.tags.items() if not name.startswith("mlflow.")}
    settings = {name: _value(name, text) for name, text in run.data.params.items()}
    about = {
        "run_id": run.info.run_id,
        "started": run.info.start_time,
        "stopped": run.info.status == "KILLED",
    }
    return about | {"status": "running", "reason": ""} | tags | settings | run.data.metrics


def _precedence(row: dict[str, Any]) -> tuple[int, int]:
    return RANK.get(row["status"], 0), row["started"]


def _value(name: str, text: str) -> str | int | float | bool | None:
    """A setting as it was before MLflow made it text. A checksum of digits only stays text."""
    if name.endswith((".sha256", ".source")):
        return text
    if text in (constants := {"None": None, "True": True, "False": False}):
        return constants[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
