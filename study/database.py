"""Database: whose one is, looked up before MLflow or Optuna adds its tables to the other's."""

from pathlib import Path

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

VERSIONS = "alembic_version"  # where both write down the version of their tables
UNUSABLE = (SQLAlchemyError, ImportError, ValueError)  # what `owner` raises


def owner(url: str) -> str | None:
    """MLflow, Optuna or another program; None for one that is new. Writes nothing.

    Raises one of UNUSABLE, within seconds, where the database cannot be opened.
    """
    parsed = make_url(url)
    if _to_be_made(parsed):
        return None
    patience = {"connect_timeout": 5} if parsed.drivername.startswith("postgresql") else {}
    engine = create_engine(parsed, connect_args=patience, poolclass=NullPool)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        if VERSIONS not in tables:
            return None
        version = connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar()
    if str(version).startswith("v"):
        return "Optuna"
    return "MLflow" if "experiments" in tables else "another program"


def _to_be_made(url: URL) -> bool:
    """Whether it is a SQLite file that is not there yet, in a folder that is."""
    file = Path(url.database or "") if url.drivername.startswith("sqlite") else None
    return file is not None and file.parent.is_dir() and not file.exists()
