"""MLflow's client as a study has it: it fails within seconds, says nothing, and is tried first."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from alembic.util import CommandError

from analysis.records import EXPERIMENT
from study import databases as database
from trainables.settings import Invalid, masked

# A server that does not answer fails a call at once, instead of after four minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # with the password in it

from mlflow import MlflowClient as MlflowClient  # reads the environment set above
from mlflow.exceptions import MlflowException as MlflowException

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)
logging.getLogger("mlflow.store").setLevel(logging.CRITICAL)  # what fails is raised, too: told once


def check_reachable(uri: str) -> None:
    """Raises Invalid, within seconds, where no tracker answers at the address.

    Makes no tables: a database that has none is not opened by MLflow yet.
    """
    try:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https"):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            socket.create_connection((parts.hostname or "", port), timeout=5).close()
            MlflowClient(uri).get_experiment_by_name(EXPERIMENT)
        elif (whose := database.owner(uri)) == "MLflow":  # asked first: MLflow tries for minutes
            MlflowClient(uri).get_experiment_by_name(EXPERIMENT)
        elif whose:
            raise ValueError(f"this is a database of {whose}")
    except (*database.UNUSABLE, MlflowException, CommandError, OSError) as error:
        raise _refused(uri, error) from None


@contextmanager
def reading(uri: str) -> Iterator[None]:
    """Raises Invalid where the tracker fails in here."""
    try:
        yield
    except (MlflowException, CommandError) as error:
        raise _refused(uri, error) from None


def _refused(uri: str, error: Exception) -> Invalid:
    valid = "the address of a running MLflow server, or a database URL like sqlite:////folder/x.db"
    why = str(getattr(error, "orig", None) or error).splitlines()[0]
    return Invalid(masked(f"--tracking-uri = {uri}: must be {valid} ({why})"))
