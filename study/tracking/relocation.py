"""Relocation: a storage that was moved or copied has its artifacts beside its own database.

MLflow writes down the whole path of each run's artifacts. A storage's own SQLite file would so lead
from a copy to the original's folder.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from study.databases import file_of
from trainables.storage.storage import Storage

ARTIFACTS = "artifacts"  # the folder in a storage


def settle(uri: str, storage: Storage) -> None:
    """Has every artifact of the storage's own database inside the storage; in one transaction."""
    root = storage.root
    if root is None or not uri.startswith("sqlite"):
        return
    file = file_of(uri).absolute()
    if file.parent != root or not file.exists():
        return
    here = f"{root.as_uri()}/{ARTIFACTS}"
    with closing(sqlite3.connect(file)) as database, database:
        if not _has_tables(database):
            return
        located = "SELECT DISTINCT artifact_location FROM experiments"
        for (there,) in database.execute(located).fetchall():
            if there != here and _of_a_storage(there):
                _move(database, there, here)


def _has_tables(database: sqlite3.Connection) -> bool:
    wanted = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('experiments', 'runs')"
    return bool(database.execute(wanted).fetchone()[0] == 2)


def _of_a_storage(location: str) -> bool:
    """Whether it is a folder named as a storage names its own; not MLflow's default, ./mlruns."""
    return location.startswith("file:") and Path(location).name == ARTIFACTS


def _move(database: sqlite3.Connection, there: str, here: str) -> None:
    database.execute(
        "UPDATE runs SET artifact_uri = ? || SUBSTR(artifact_uri, ?) "
        "WHERE SUBSTR(artifact_uri, 1, ?) = ?",
        (here, len(there) + 1, len(there) + 1, f"{there}/"),
    )
    change = "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?"
    database.execute(change, (here, there))
