"""MLflow's client as a study has it: it fails within seconds, says nothing, and is tried first."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from alembic.util import CommandError

from study import databases as database
from trainables.settings import Invalid, masked

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # with the password in it

from analysis.records import MlflowClient as MlflowClient  # reads the environment set above
from analysis.records import MlflowException as MlflowException
from analysis.records import experiment_of

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
            experiment_of(MlflowClient(uri))
        elif (whose := database.owner(uri)) == "MLflow":  # asked first: MLflow tries for minutes
            experiment_of(MlflowClient(uri))
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
