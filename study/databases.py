"""Databases: where MLflow and Optuna keep what they are told."""

from pathlib import Path
from urllib.parse import urlsplit

import psutil
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from study.request import Request
from trainables.settings import Invalid, masked
from trainables.storage.storage import Storage

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


NETWORK = (  # how the types of network file systems begin; other kinds of FUSE are local
    *("9p", "afs", "beegfs", "ceph", "cifs", "efs", "fuse.blobfuse", "fuse.ceph", "fuse.gcsfuse"),
    *("fuse.glusterfs", "fuse.goofys", "fuse.juicefs", "fuse.mountpoint-s3", "fuse.rclone"),
    *("fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "nfs", "pvfs", "smb", "wekafs"),
)


def tracking_uri(request: Request) -> str:
    """MLflow's. Raises Invalid for SQLite where several machines write, or on a network."""
    valid = "a server (http://...) or a database URL like postgresql://..."
    given, storage = request.tracking_uri, request.storage
    return _database("--tracking-uri", given, storage, "mlflow.db", valid)


def search_storage(request: Request) -> str:
    """Optuna's. Raises Invalid for SQLite where several machines write, or on a network, and for
    MLflow's.
    """
    valid = "a database URL like postgresql://..."
    given, storage = request.search_storage, request.storage
    url = _database("--search-storage", given, storage, "optuna.db", valid)
    if _place(url) == _place(tracking_uri(request)):
        raise Invalid(
            f"--search-storage = {masked(url)}: must be another database than that of "
            "--tracking-uri: neither MLflow nor Optuna works with the tables of the other"
        )
    return url


def _database(option: str, given: str | None, storage: Storage, default: str, valid: str) -> str:
    if given == "" or (given and given.startswith("sqlite") and _without_file(given)):
        raise Invalid(f"{option} = {given}: must name a file, like sqlite:////folder/{default}")
    if given and not given.startswith("sqlite"):
        return given
    if where := _remote(storage):
        since = f"--storage is {where}"
    elif given and (kind := network_of(file_of(given))):
        since = f"it is on a network file system ({kind})"
    elif given:
        return given
    elif any(sign in str(storage) for sign in "%?"):
        valid = f"a folder without % and ? in its path, or {option} must be given"
        raise Invalid(f"--storage = {storage}: must be {valid}: no SQLite address has them")
    else:
        return f"sqlite:///{storage}/{default}"
    said = f"{option} = {masked(given)}" if given else f"{option} is missing"
    raise Invalid(f"{said}: must be {valid}, since {since}")


def file_of(sqlite: str) -> Path:
    """The file that the URL names: after three slashes relative, after four absolute."""
    return Path(sqlite.partition(":///")[2].partition("?")[0].removeprefix("file:"))


def _without_file(sqlite: str) -> bool:
    """Whether the URL means a database in memory, which ends with the command."""
    name = file_of(sqlite).name
    return name in ("", ":memory:") or "mode=memory" in sqlite.partition("?")[2]


def _place(url: str) -> tuple[object, ...]:
    """What is equal for two URLs of one database."""
    if url.startswith("sqlite"):
        return ("sqlite", file_of(url).resolve())
    parts = urlsplit(url)
    return (
        parts.scheme.partition("+")[0],
        parts.netloc.rpartition("@")[2],
        parts.path,
        parts.query,
    )


def in_new_storage(url: str, storage: Storage) -> bool:
    """Whether it is a SQLite file in the folder of a storage that is not there yet."""
    new = storage.root is not None and not storage.root.exists()
    return new and url.startswith("sqlite") and file_of(url).absolute().parent == storage.root


def _remote(storage: Storage) -> str | None:
    """On what kind of storage SQLite files would be lost or damaged; None on a local disk."""
    if storage.root is None:
        return "on S3"
    kind = network_of(storage.root)
    return f"on a network file system ({kind})" if kind else None


def network_of(path: Path) -> str | None:
    """The kind of network file system that the path lies on; None on a local one."""
    real = path.resolve()
    mounts = psutil.disk_partitions(all=True)  # where two are over each other, the later one counts
    over = [m for m in mounts if real.is_relative_to(m.mountpoint)]
    kind = max(reversed(over), key=lambda m: len(m.mountpoint)).fstype if over else ""
    return kind if kind.startswith(NETWORK) else None
