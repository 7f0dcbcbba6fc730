"""Tables: a new SQLite database has MLflow's from an empty one that the user's cache keeps."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from study.databases import file_of
from study.tracking.client import MlflowClient, MlflowException
from trainables.settings import cache_folder


def give_tables(uri: str) -> None:
    """Copies them to a SQLite database that is not there yet: MLflow's migrations take seconds.

    Other databases are left alone. Where nothing can be kept or copied, MLflow makes the tables.
    """
    folder = cache_folder()
    if folder is None or not uri.startswith("sqlite") or (new := file_of(uri)).exists():
        return
    kept = folder / f"mlflow-{version('mlflow')}.db"
    with suppress(OSError, sqlite3.Error, SQLAlchemyError, MlflowException):
        if not kept.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(kept)
        _copy(kept, new)


def _make(kept: Path) -> None:
    """A database with MLflow's tables, whole or not at all."""
    # A folder that cannot be written to is an error here; MLflow would try for minutes.
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="mlflow-") as folder:
        made, clean = Path(folder, "made.db"), Path(folder, "clean.db")
        MlflowClient(f"sqlite:///{made}").search_experiments()
        with closing(sqlite3.connect(made)) as database:
            # Its default experiment names a folder; without any, MLflow makes it anew.
            database.execute("DELETE FROM experiments")
            database.commit()
            database.execute("VACUUM INTO ?", (str(clean),))
        clean.replace(kept)


def _copy(kept: Path, new: Path) -> None:
    """Raises FileExistsError where another command has made the database meanwhile."""
    whole = new.with_name(f".{new.name}.{uuid4().hex}")
    try:
        shutil.copyfile(kept, whole)
        os.link(whole, new)
    finally:
        whole.unlink(missing_ok=True)
