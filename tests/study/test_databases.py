"""Whose a database is, and where it is by default."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from study.databases import owner, search_storage, tracking_uri
from study.request import Request
from trainables.settings import Invalid
from trainables.storage.storage import Storage


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


@pytest.mark.parametrize("name", ["my störage #1", "a;b&c=d", "plus+ and 'quotes'"])
def test_a_storage_may_have_any_path_that_sqlite_addresses_can_have(
    name: str, tmp_path: Path
) -> None:
    request = Request(grid="x", storage=Storage(tmp_path / name), tracking_uri=None)
    (tmp_path / name).mkdir()
    for url in (tracking_uri(request), search_storage(request)):
        assert owner(url) is None
        with create_engine(url).begin() as database:
            database.execute(text("CREATE TABLE t (x INTEGER)"))
    assert sorted(p.name for p in (tmp_path / name).iterdir()) == ["mlflow.db", "optuna.db"]
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("sign", ["%20", "?"])
def test_a_storage_that_no_sqlite_address_can_name_is_refused_by_its_own_option(
    sign: str, tmp_path: Path
) -> None:
    request = Request(grid="x", storage=Storage(tmp_path / f"a {sign} b"), tracking_uri=None)
    valid = r"a folder without % and \? in its path, or --tracking-uri must be given"
    with pytest.raises(Invalid, match=f"^--storage = .*: must be {valid}"):
        tracking_uri(request)
    given = replace(request, tracking_uri="http://host:5000", search_storage="mysql://h/d")
    assert (tracking_uri(given), search_storage(given)) == ("http://host:5000", "mysql://h/d")
