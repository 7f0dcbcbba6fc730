"""A study that is killed again and again ends with the numbers of one that is not.

Real Ray, real MLflow, SIGKILL: of a worker, which the same command survives, and of the driver,
after which the same command goes on.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from study.tracking import EXPERIMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EPOCHS = 12
STUDY = "kesl_backbones"
SHORT = (f"recipe.epochs={EPOCHS}", "recipe.milestones=()", "recipe.schedule=constant")


def command(grid: str, storage: Path) -> list[str]:
    changes = [argument for change in SHORT for argument in ("--set", change)]
    run = [sys.executable, "study/run.py", "--grid", grid, "--seeds", "1", *changes]
    return [*run, "--storage", str(storage)]


def finish(grid: str, storage: Path) -> str:
    done = subprocess.run(command(grid, storage), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def table(storage: Path, grid: str) -> str:
    (path,) = storage.glob(f"studies/{grid}.demo.*/report/table.csv")
    return path.read_text()


def results(storage: Path) -> dict[str, Any]:
    """What was trained, by trial id, without what the clock says."""
    found = {}
    for path in storage.glob("trials/*/result.json"):
        result = json.loads(path.read_text())
        history = [{k: v for k, v in epoch.items() if k != "time"} for epoch in result["history"]]
        found[path.parent.name] = (result["status"], result["selected"], history)
    return found


def epochs_made(storage: Path) -> int:
    histories = storage.glob("trials/*/history.json")
    return sum(len(json.loads(path.read_text())) for path in histories)


def wait_until_trained(driver: subprocess.Popen[bytes], storage: Path, epochs: int) -> None:
    end = time.monotonic() + 300
    while epochs_made(storage) < epochs:
        assert time.monotonic() < end
        assert driver.poll() is None
        time.sleep(0.05)


def workers(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that train: named by Ray after what they run."""
    found = []
    for child in psutil.Process(driver.pid).children(recursive=True):
        with suppress(psutil.Error):  # it has ended since
            if "ImplicitFunc" in "".join(child.cmdline()):
                found.append(child)
    return found


def runs(storage: Path, kind: str) -> list[Any]:
    client = MlflowClient(f"sqlite:///{storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("undisturbed")
    finish(STUDY, storage)
    return storage


def test_a_finished_study_trains_nothing_again(undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("trials/*/*")}
    said = finish(STUDY, undisturbed)
    assert "6 with a result, 0 to be resumed, 0 new" in said
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("trials/*/*")} == before


def test_killed_at_any_moment_it_goes_on_to_the_same_table(
    undisturbed: Path, tmp_path: Path
) -> None:
    chance = random.Random(0)
    for kill in range(4):
        driver = subprocess.Popen(
            command(STUDY, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        target = epochs_made(tmp_path) + chance.randint(1, 2 * EPOCHS)
        wait_until_trained(driver, tmp_path, min(target, 6 * EPOCHS - 6))
        if kill % 2 == 0:
            busy = workers(driver)
            assert busy
            for worker in busy:
                worker.kill()
            wait_until_trained(driver, tmp_path, min(epochs_made(tmp_path) + 2, 6 * EPOCHS - 3))
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    finish(STUDY, tmp_path)

    assert results(tmp_path) == results(undisturbed)
    assert table(tmp_path, STUDY) == table(undisturbed, STUDY)
    tracked = [run.data.tags["trial_id"] for run in runs(tmp_path, "trial")]
    assert sorted(tracked) == sorted(results(tmp_path))
    assert {run.info.status for run in runs(tmp_path, "trial")} == {"FINISHED"}
    assert len(runs(tmp_path, "study")) == 1
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    for run in runs(tmp_path, "trial"):
        points = client.get_metric_history(run.info.run_id, "test.accuracy")
        assert sorted(point.step for point in points) == list(range(1, EPOCHS + 1))


def test_a_second_grid_trains_only_what_the_first_did_not(undisturbed: Path) -> None:
    ids = set(results(undisturbed))
    said = finish("kesl_sota", undisturbed)
    assert "2 with a result, 0 to be resumed, 0 new" in said
    assert set(results(undisturbed)) == ids
    assert len(runs(undisturbed, "trial")) == len(ids)
    assert len(runs(undisturbed, "study")) == 2


def test_a_trial_that_fails_is_marked_and_the_others_go_on(tmp_path: Path) -> None:
    wild = [*command("kesl_label_smoothing", tmp_path), "--set", "recipe.lr=1e30"]
    done = subprocess.run(wild, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1
    assert "epoch 1, step" in done.stdout
    assert {status for status, _, _ in results(tmp_path).values()} == {"failed"}
    again = subprocess.run(wild, capture_output=True, text=True, timeout=600)
    assert again.returncode == 1
    assert "2 with a result, 0 to be resumed, 0 new" in again.stdout
    rerun = subprocess.run(
        [*wild, "--rerun", "failed"], capture_output=True, text=True, timeout=600
    )
    assert "0 with a result, 0 to be resumed, 2 new" in rerun.stdout
