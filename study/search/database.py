"""The database of searches: opened, or refused in one line, without its password."""

from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from study import databases as database
from trainables.settings import Invalid, masked


def open_storage(url: str) -> optuna.storages.BaseStorage:
    """Raises Invalid where the database cannot be opened, or is another program's."""
    check_database(url)
    with database_at(url, ImportError, RuntimeError):
        return optuna.storages.get_storage(url)


def check_database(url: str) -> None:
    """Raises Invalid, within seconds, as `open_storage` does; but makes no tables."""
    with database_at(url, *database.UNUSABLE):
        whose = database.owner(url)
        if whose not in (None, "Optuna"):
            raise ValueError(f"this is a database of {whose}")


@contextmanager
def database_at(url: str, *further: type[Exception]) -> Iterator[None]:
    """Raises Invalid, without a password, where the database fails in here."""
    kinds: tuple[type[Exception], ...] = (SQLAlchemyError, StorageInternalError, *further)
    try:
        yield
    except kinds as error:
        valid = "the URL of a database that can be opened, like sqlite:////folder/optuna.db"
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        why = str(getattr(cause, "orig", None) or cause or error).splitlines()[0]
        try:
            parsed = make_url(url)
        except (SQLAlchemyError, ValueError):
            raise Invalid(f"--search-storage: must be {valid} (not a URL)") from None
        if parsed.password:
            why = why.replace(str(parsed.password), "***")
        line = f"--search-storage = {url}: must be {valid} ({why})"
        raise Invalid(masked(line)) from None
