"""Records: the names by which a study is kept in MLflow, and what they mean."""

from mlflow import MlflowClient as MlflowClient
from mlflow.exceptions import MlflowException as MlflowException

EXPERIMENT = "label-studies"


FAILURES = (MlflowException, OSError)  # of a server or a database that is away


def milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def end_of(ended: float) -> str:
    """The tag of a run that says which result of the trial it has: when that came about."""
    return str(milliseconds(ended))
