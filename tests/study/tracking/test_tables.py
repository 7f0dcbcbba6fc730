"""Databases that begin as a copy."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from study.tracking.tables import give_tables


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "label-studies"


def schema(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Columns by table; the order of MLflow's constraints is not always the same."""
    with closing(sqlite3.connect(database)) as opened:
        tables = opened.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
        return {n: opened.execute(f"PRAGMA table_info({n})").fetchall() for (n,) in tables}


def test_a_copy_is_what_mlflow_makes_and_knows_no_folder_but_its_own(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes = [tmp_path / name for name in ("maker", "first", "second")]
    for home in homes:
        home.mkdir()
        monkeypatch.chdir(home)
        if home.name != "maker":
            give_tables(f"sqlite:///{home}/mlflow.db")
        (default,) = MlflowClient(f"sqlite:///{home}/mlflow.db").search_experiments()
        assert default.artifact_location == f"{home}/mlruns/0"
        assert schema(home / "mlflow.db") == schema(homes[0] / "mlflow.db")
        assert [p.name for p in home.iterdir()] == ["mlflow.db"]
    assert len(list(cache.iterdir())) == 1


def test_what_is_there_stays(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"something")
    for uri in (f"sqlite:///{tmp_path}/mlflow.db", "http://host:5000", "postgresql://host/x"):
        give_tables(uri)
    assert (tmp_path / "mlflow.db").read_bytes() == b"something"
    assert not cache.exists()


def test_without_a_cache_mlflow_makes_them(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.write_text("a file where the folder would be")
    give_tables(f"sqlite:///{tmp_path}/mlflow.db")
    assert not (tmp_path / "mlflow.db").exists()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    give_tables(f"sqlite:///{tmp_path}/mlflow.db")
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]


@pytest.mark.slow
def test_on_a_full_disk_nothing_is_kept_and_nothing_is_raised(tmp_path: Path, cache: Path) -> None:
    """A limit on the size of files is to a process what a full disk is."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    ignored = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)"
    code = (
        "import resource, signal; from study.tracking.tables import give_tables; "
        f"{ignored}; {limit}; give_tables({uri!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(cache.iterdir()) == []
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]
