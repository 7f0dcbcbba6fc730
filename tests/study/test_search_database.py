"""Databases that cannot be opened."""

import pytest

from study.search_database import open_storage
from trainables.settings import Invalid


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("sqlite:////no/where/optuna.db", "unable to open database file"),
        ("optuna.db", "not a URL"),
        ("none+none://host/x", "Can't load plugin"),
        (f"sqlite:///{__file__}", "file is not a database"),
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
