"""Records: the names by which studies are kept in MLflow, and how its client is to behave."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# A server that does not answer fails a call at once, instead of after four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow import MlflowClient as MlflowClient  # reads the environment set above
from mlflow.entities import Experiment, Run, ViewType
from mlflow.exceptions import MlflowException as MlflowException
from sqlalchemy import event
from sqlalchemy.orm import Session

EXPERIMENT = "label-studies"
# By these tags it is found under another name too, and MLflow shows it as training of models.
EXPERIMENT_TAGS = {"kind": EXPERIMENT, "mlflow.experimentKind": "custom_model_development"}
FAILURES = (MlflowException, OSError)  # of a server or a database that is away
PAGE = 1000  # runs a request

_reading = ContextVar("_reading", default=False)  # whether this thread reads a page now


def milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def end_of(ended: float) -> str:
    """The tag of a run that says which result of the trial it has: when that came about."""
    return str(milliseconds(ended))


def experiment_of(client: MlflowClient) -> Experiment | None:
    """The experiment of the studies, whatever a person has named it since; None where none is.

    One that was deleted in MLflow is given only where there is no other.
    """
    named = client.get_experiment_by_name(EXPERIMENT)
    tagged = client.search_experiments(
        view_type=ViewType.ALL, filter_string=f"tags.kind = '{EXPERIMENT}'"
    )
    found = [*([named] if named else []), *tagged]
    return min(found, key=lambda e: e.lifecycle_stage != "active", default=None)


def runs_of(client: MlflowClient, experiment_id: str, which: str) -> Iterator[list[Run]]:
    """All runs that pass the filter, the newest first, a page at a time."""
    token: str | None = ""
    while token is not None:
        with _uncollected(), _unexpired():
            page = client.search_runs(
                [experiment_id], which, max_results=PAGE, page_token=token or None
            )
        yield list(page)
        token = page.token


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which takes two thirds of the time to read a page of runs.

    MLflow makes a hundred objects a run that live until the page is read, and Python looks through
    all of them again and again. A page at a time, so that what is garbage goes in between.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def _unexpired() -> Iterator[None]:
    """Without marking what was read from a database as outdated, object by object.

    It takes a quarter of the time to read a page of runs, and nothing looks at the marks: MLflow
    ends its session with the page. Where the tracker is a server there is no session here.
    """
    before = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(before)


@event.listens_for(Session, "before_commit")
def _keep_what_was_read(session: Session) -> None:
    """Of the other sessions of this process none is changed, whichever thread they are in."""
    if _reading.get():
        session.expire_on_commit = False
