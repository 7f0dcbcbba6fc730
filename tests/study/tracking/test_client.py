"""Trackers that cannot be opened, or that fail while they are read."""

import shutil
import sqlite3
import threading
import time
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import optuna
import pytest
from alembic.util import CommandError
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from study.tracking.client import check_reachable, reading
from trainables.settings import Invalid


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://127.0.0.1:9", "refused"),
        ("postgresql://127.0.0.1:9/records", "refused"),
        ("htp://host", "htp"),
        ("mlruns", "URL"),
        ("sqlite:////proc/nowhere/mlflow.db", "unable to open"),
        (f"sqlite:///{__file__}", "not a database"),
        ("postgresql://host:port/x", "invalid literal"),
    ],
)
def test_a_tracker_that_cannot_be_opened_is_refused_at_once(uri: str, why: str) -> None:
    begun = time.monotonic()
    with pytest.raises(Invalid, match=rf"--tracking-uri = {uri}: must be the address .*{why}"):
        check_reachable(uri)
    assert time.monotonic() - begun < 6


def test_a_server_that_is_no_tracker_is_refused() -> None:
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(Invalid, match="must be the address of a running MLflow server"):
            check_reachable(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize("kind", [MlflowException, CommandError])
def test_what_a_tracker_answers_while_it_is_read_is_told_in_a_line(kind: type[Exception]) -> None:
    with pytest.raises(Invalid, match=r"^--tracking-uri = http://\*\*\*@host: must be .*\(gone\)$"):
        with reading("http://me:hush@host"):
            raise kind("gone\nand more")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match=r"--tracking-uri = http://\[::1: must be .*\(Invalid IPv6"):
        check_reachable("http://[::1")


def test_a_database_of_optuna_is_refused_and_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    optuna.create_study(storage=url)
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(Invalid, match=rf"--tracking-uri = {url}: .* a database of Optuna\)$"):
        check_reachable(url)
    assert (tmp_path / "x.db").read_bytes() == before


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('0123456789ab')")
    with pytest.raises(Invalid, match=r"--tracking-uri = .* a database of another program\)$"):
        check_reachable(f"sqlite:///{tmp_path}/x.db")


def test_a_database_of_another_mlflow_is_refused(tmp_path: Path) -> None:
    MlflowClient(f"sqlite:///{tmp_path}/now.db").create_experiment("label-studies")
    shutil.copy(tmp_path / "now.db", tmp_path / "x.db")  # MLflow looks once a path
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    with pytest.raises(Invalid, match=r"--tracking-uri = .* out-of-date database schema"):
        check_reachable(f"sqlite:///{tmp_path}/x.db")


def test_checking_a_tracker_makes_no_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    check_reachable(url)
    assert not list(tmp_path.iterdir())
    (tmp_path / "x.db").touch()
    check_reachable(url)
    assert (tmp_path / "x.db").read_bytes() == b""
