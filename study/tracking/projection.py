"""Projection: a trial's files as the values of an MLflow run."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from analysis.plan import Plan
from analysis.records import end_of, milliseconds
from study.tracking.client import MlflowClient
from trainables.selection import CLOCK, Epoch
from trainables.storage import names
from trainables.storage.result import Result
from trainables.storage.trial_files import TrialFiles

DESCRIPTION_LENGTH = 8000  # characters that MLflow keeps of a tag
METRICS_A_CALL = 800  # which with the parameters and tags makes 1000, the limit
PARAMS_A_CALL = 100
LOG_LINES = 50  # of a failed trial, the last ones, in its run


def log(
    client: MlflowClient,
    run: str,
    points: list[Metric],
    params: list[Param],
    tags: dict[str, Any],
) -> None:
    """All of it, the tags last, in as few calls as can be: each costs more than what it writes."""
    chunks = _chunks(points, METRICS_A_CALL), _chunks(params, PARAMS_A_CALL)
    calls = list(zip_longest(*chunks, fillvalue=())) or [((), ())] * bool(tags)
    for i, (metrics, some) in enumerate(calls, 1):
        last = _tags(tags) if i == len(calls) else ()
        client.log_batch(run, metrics=metrics, params=some, tags=last)


def rule_of(plan: Plan) -> str:
    """The selection rule that the plan's table is read by."""
    return plan.selection if plan.scale == "paper" else "best_validation"


def points(history: Sequence[Epoch]) -> list[Metric]:
    """Every metric of the epochs."""
    return [point for epoch in history for point in _of_epoch(epoch)]


def _of_epoch(epoch: Epoch) -> list[Metric]:
    metrics = [name for name in epoch if name not in CLOCK]
    when, step = milliseconds(epoch["time"]), int(epoch["epoch"])
    return [Metric(name, epoch[name], when, step) for name in metrics]


def parameters(settings: Mapping[str, Any]) -> list[Param]:
    return [Param(name, str(value)) for name, value in settings.items()]


def spent(epoch: Epoch) -> list[Metric]:
    """What a trial took that has no result; none where an earlier version has not noted it."""
    when, name = milliseconds(epoch["time"]), "seconds"
    return [Metric(name, epoch[name], when, 0)] if name in epoch else []


def final_points(result: Result, rule: str) -> list[Metric]:
    """What is selected by every rule; by the table's, the test accuracy bears a short name."""
    values = {
        f"{rule}/{m}": v for rule, chosen in result.selected.items() for m, v in chosen.items()
    }
    if (accuracy := result.selected.get(rule, {}).get("test.accuracy")) is not None:
        values["accuracy"] = accuracy
    values["seconds"] = result.seconds
    if result.site:  # what the study has given up has not said it at its end
        values["peak_memory_mib"] = result.site["peak_memory_mib"]
    if result.realised_noise is not None:
        values["realised_noise"] = result.realised_noise
    when = milliseconds(result.ended)
    return [Metric(name, value, when, 0) for name, value in values.items()]


def ended_tags(result: Result, site: dict[str, Any]) -> dict[str, Any]:
    about = {"status": result.status, "reason": result.reason or "", "retried": result.retried}
    return {**site, **about, "ended": end_of(result.ended)}


def description(table: str) -> str:
    """As many whole lines of it as MLflow keeps, and where the rest is."""
    if len(table) <= DESCRIPTION_LENGTH:
        return table
    rest = "\n\nThe rest is in report/table.md."
    return table[: DESCRIPTION_LENGTH - len(rest)].rpartition("\n")[0] + rest


def _tags(values: dict[str, Any]) -> list[RunTag]:
    return [RunTag(name, str(value)) for name, value in values.items()]


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def keep_files(client: MlflowClient, run: str, files: TrialFiles, result: Result) -> None:
    """The trial's tables as artifacts; of a failed one the last lines of its log."""
    for name, table in files.tables():
        client.log_text(run, table, name)
    if result.failed and (lines := files.log_lines()):
        client.log_text(run, "".join(lines[-LOG_LINES:]), names.LOG)
