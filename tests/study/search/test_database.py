"""Databases that cannot be opened."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from study.search.database import check_database, open_storage
from trainables.settings import Invalid


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("sqlite:////no/where/optuna.db", "unable to open database file"),
        ("optuna.db", "not a URL"),
        ("none+none://host/x", "Can't load plugin"),
        (f"sqlite:///{__file__}", "file is not a database"),
        ("redis://x", "Can't load plugin"),
        ("postgresql://host:port/x", "not a URL"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named(url: str, error: str) -> None:
    with pytest.raises(Invalid, match="--search-storage") as raised:
        open_storage(url)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(Invalid) as raised:
        open_storage("none+none://me:secret@host/x")
    assert "secret" not in str(raised.value)


def test_a_database_of_mlflow_is_refused_and_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    MlflowClient(url).create_experiment("label-studies")
    before = (tmp_path / "x.db").read_bytes()
    for opened in (check_database, open_storage):
        with pytest.raises(Invalid, match=rf"--search-storage = {url}: .* a database of MLflow\)$"):
            opened(url)
    assert (tmp_path / "x.db").read_bytes() == before


def test_checking_a_database_makes_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    check_database(url)
    assert not list(tmp_path.iterdir())
    open_storage(url)
    check_database(url)
