"""Whose a database is."""

import sqlite3
from pathlib import Path

import optuna
import pytest
from sqlalchemy.exc import OperationalError

from study.databases import owner


def test_a_database_without_tables_and_one_to_be_made_are_nobody_s(tmp_path: Path) -> None:
    assert owner(f"sqlite:///{tmp_path}/x.db") is None
    assert not list(tmp_path.iterdir())
    (tmp_path / "x.db").touch()
    assert owner(f"sqlite:///{tmp_path}/x.db") is None
    with pytest.raises(OperationalError, match="unable to open"):
        owner(f"sqlite:///{tmp_path}/no/x.db")


def test_who_has_written_the_version_owns_it_whatever_tables_another_has_added(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    optuna.create_study(storage=url)
    assert owner(url) == "Optuna"
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("CREATE TABLE experiments (name TEXT)")  # as MLflow does before it fails
    assert owner(url) == "Optuna"
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    assert owner(url) == "MLflow"
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("DROP TABLE experiments")
    assert owner(url) == "another program"
