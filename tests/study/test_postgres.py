"""Records and searches in PostgreSQL: the databases of a cluster's head. A server of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.study import test_search_runs as search_runs
from tests.study.test_exactly_once import results

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database that is named behind it; reached through a socket in a folder."""
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
        for name in ("records", "searches"):
            run("createdb", "-h", str(folder), "-U", "me", name)
        yield f"postgresql://me@/{{}}?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def test_a_search_on_postgresql_asks_and_finds_what_one_on_sqlite_does(
    postgres: str, tmp_path: Path
) -> None:
    files, server = tmp_path / "files", tmp_path / "server"
    databases = ["--tracking-uri", postgres.format("records")]
    databases += ["--search-storage", postgres.format("searches")]
    search_runs.finish(files)
    search_runs.finish(server, *databases)
    assert results(server) == results(files)
    assert search_runs.table(server) == search_runs.table(files)
    assert search_runs.searches(server) == search_runs.searches(files)
    assert not list(server.glob("*.db"))
    again = search_runs.finish(server, *databases)
    assert "4 with a result, 0 to be resumed, 0 new" in again
