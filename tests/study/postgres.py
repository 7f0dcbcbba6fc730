"""A PostgreSQL server of its own for a test, as the head of a cluster has one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@contextmanager
def postgres(*databases: str) -> Iterator[list[str]]:
    """The URLs of the databases, reached through a socket in a folder."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed")
    programs, folder = PROGRAMS[-1].parent, Path("/tmp") / f"label-studies-postgres-{os.getpid()}"
    folder.mkdir()
    user = []
    if os.geteuid() == 0:  # as whom it refuses to run
        shutil.chown(folder, "postgres")
        user = ["runuser", "-u", "postgres", "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*user, str(programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    data, log = str(folder / "data"), str(folder / "log")
    run("initdb", "-D", data, "-U", "me", "--auth", "trust")
    run("pg_ctl", "-D", data, "-l", log, "-w", "-o", f"-k {folder} -h ''", "start")
    try:
        for name in databases:
            run("createdb", "-h", str(folder), "-U", "me", name)
        yield [f"postgresql://me@/{name}?host={folder}" for name in databases]
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)
