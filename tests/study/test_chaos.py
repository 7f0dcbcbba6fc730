"""Faults of every kind: kills at random moments, a server that is away, full disks, bad files.

Real Ray, real MLflow server, SIGKILL. A study ends with the table of one that was left alone.
Searches are killed in test_search_runs.py, several commands in test_many_commands.py.
"""

import os
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient

from study.command import main
from tests.study.command import ONE, TINY, command, driving, here, results, runs, table
from tests.study.server import Server

pytestmark = [pytest.mark.slow(minutes=12), pytest.mark.timeout(1800)]

GRID = "kesl_label_smoothing"  # four rows
EPOCHS = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.kill()


def statuses(server: Server, kind: str) -> dict[str, list[str]]:
    """Of the runs of each trial or study."""
    found: dict[str, list[str]] = {}
    for run in runs(server.uri, kind):
        name = run.data.tags["trial_id" if kind == "trial" else "study"]
        found.setdefault(name, []).append(run.info.status)
    return found


def study(storage: Path, seeds: int, *more: str) -> list[str]:
    return command(GRID, storage, "--seeds", str(seeds), *TINY, *more, epochs=EPOCHS)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve trials."""
    storage = tmp_path_factory.mktemp("undisturbed")
    here(study(storage, 3, *ONE))
    assert len(results(storage)) == 12
    return storage


def test_ten_kills_leave_the_table_and_each_run_once(
    undisturbed: Path, server: Server, tmp_path: Path
) -> None:
    chance = random.Random(0)
    run = study(tmp_path, 3, "--tracking-uri", server.uri)
    for _ in range(2):
        server.wait()
        with driving(run) as driver:
            for victim in chance.sample(["worker", "worker", "worker", "server"], 4):
                driver.wait_until_trained(tmp_path, chance.randint(1, 5))
                if victim == "worker":
                    driver.kill_worker(chance)
                else:
                    server.kill()
            driver.wait_until_trained(tmp_path, chance.randint(1, 5))
        server.start()
    server.wait()
    here(run)

    assert results(tmp_path) == results(undisturbed)
    assert table(tmp_path) == table(undisturbed)
    assert statuses(server, "trial") == {i: ["FINISHED"] for i in results(tmp_path)}
    assert list(statuses(server, "study").values()) == [["FINISHED"]]
    client = MlflowClient(server.uri)
    for trial in runs(server.uri, "trial"):
        points = client.get_metric_history(trial.info.run_id, "test.accuracy")
        assert sorted(point.step for point in points) == list(range(1, EPOCHS + 1))


def test_a_server_that_is_away_stops_nothing_and_is_told_all_when_it_is_back(
    server: Server, tmp_path: Path
) -> None:
    run = study(tmp_path, 1, *ONE, "--tracking-uri", server.uri, "--set", "recipe.momentum=0.8")
    with driving(run) as driver:
        driver.wait_until_trained(tmp_path, 2)
        server.kill()
        last = driver.ended(1).splitlines()[-1]
    assert len(results(tmp_path)) == 4
    assert last.startswith("no report (")
    assert re.search(r"MLflow lacks 4 runs; to write them: \S*python\S* study/run.py --grid", last)
    server.start()
    server.wait()
    here(run)
    assert {i: statuses(server, "trial")[i] for i in results(tmp_path)} == {
        i: ["FINISHED"] for i in results(tmp_path)
    }


def test_of_a_truncated_checkpoint_the_older_one_is_used(undisturbed: Path, tmp_path: Path) -> None:
    with driving(study(tmp_path, 1, *ONE)) as driver:
        driver.wait_until(lambda: with_two_checkpoints(tmp_path))
        for worker in driver.workers():  # which may outlive their driver
            worker.kill()
    folder = with_two_checkpoints(tmp_path)[0]
    older, newest = checkpoints(folder)
    os.truncate(newest, newest.stat().st_size // 2)
    here(study(tmp_path, 1, *ONE))
    log = (folder / "log.txt").read_text()
    assert f"{newest.name} cannot be read, an older one is tried" in log
    assert f"resumed from {older.name}" in log
    assert results(tmp_path).items() <= results(undisturbed).items()
    assert len(results(tmp_path)) == 4


def checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*.pt"))


def with_two_checkpoints(storage: Path) -> list[Path]:
    return [folder for folder in storage.glob("trials/*") if len(checkpoints(folder)) == 2]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_is_told_and_nothing_else_is_lost(undisturbed: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounts are not permitted here")
    try:
        with driving(study(disk, 1, *ONE)) as driver:
            driver.wait_until_trained(disk, 1)
            fill = ["dd", "if=/dev/zero", f"of={disk / 'ballast'}", "bs=4096"]
            assert subprocess.run(fill, capture_output=True).returncode == 1
            said = driver.ended(2)
        asked = rf"{disk}: must have 256 MiB free, has \d+; with that node mended or gone, the"
        assert re.search(asked, said), said
        assert "Traceback" not in said
        (disk / "ballast").unlink()
        here(study(disk, 1, *ONE))
        assert results(disk).items() <= results(undisturbed).items()
        assert len(results(disk)) == 4
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_corrupt_search_database_gets_one_line(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "optuna.db"
    optuna.create_study(storage=f"sqlite:///{path}")
    content = bytearray(path.read_bytes())
    whole = slice(0, 100) if damage == "header" else slice(1000, len(content))
    content[whole] = bytes([7]) * len(content[whole])
    path.write_bytes(content)
    arguments = ["--grid", GRID, "--search", "2", "--storage", str(tmp_path)]
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --search-storage = sqlite:///{path}: must be the URL of a data")
    assert "not a database" in line or "malformed" in line
    assert path.read_bytes() == bytes(content)
    assert not list(tmp_path.glob("trials/*"))
