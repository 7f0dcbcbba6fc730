"""The search command as a whole: real Ray, real Optuna, real MLflow, SIGKILL."""

import json
import random
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from optuna.storages import get_storage

from study.tracking import EXPERIMENT
from tests.study.postgres import postgres
from tests.study.test_exactly_once import results, workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

POINTS = 4
ROWS = ("only CE", "only KL: T 16, alpha 0, beta 1")
SHORT = ("recipe.epochs=3", "recipe.milestones=()", "recipe.schedule=constant")


def command(storage: Path) -> list[str]:
    changes = [argument for change in SHORT for argument in ("--set", change)]
    rows = [argument for row in ROWS for argument in ("--only", row)]
    search = ["--search", str(POINTS), "--max-concurrent", "1", "--seeds", "1"]
    run = [sys.executable, "study/run.py", "--grid", "kesl_ablation", *search]
    return [*run, *rows, *changes, "--storage", str(storage)]


def finish(storage: Path, *more: str) -> str:
    run = [*command(storage), *more]
    done = subprocess.run(run, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def searches(storage: Path) -> Any:
    (path,) = storage.glob("studies/kesl_ablation.demo.*/report/searches.json")
    return json.loads(path.read_text())


def table(storage: Path) -> str:
    (path,) = storage.glob("studies/kesl_ablation.demo.*/report/table.csv")
    return path.read_text()


def settings(storage: Path) -> dict[str, dict[str, Any]]:
    paths = storage.glob("trials/*/trial.json")
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("undisturbed")
    finish(storage)
    return storage


def test_test_images_are_read_after_the_searches_only(undisturbed: Path) -> None:
    database = get_storage(f"sqlite:///{undisturbed / 'optuna.db'}")
    told: list[datetime] = []
    for study in database.get_all_studies():
        points = database.get_all_trials(study._study_id)
        told += [point.datetime_complete for point in points if point.datetime_complete]
    assert len(told) == POINTS * len(ROWS)
    found = settings(undisturbed)
    searched = {
        i for search in searches(undisturbed) for p in search["points"] for i in p["trials"]
    }
    assert {i for i, values in found.items() if not values["data.test"]} == searched
    for trial_id in set(found) - searched:
        created = (undisturbed / "trials" / trial_id / "trial.json").stat().st_mtime
        assert created > max(told).timestamp()
    for trial_id in searched:
        result = json.loads((undisturbed / "trials" / trial_id / "result.json").read_text())
        assert not any(name.startswith("test.") for name in result["history"][-1])


def test_the_same_command_again_trains_nothing(undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.glob("trials/*/*")}
    said = finish(undisturbed)
    assert said.count(f": {POINTS} of {POINTS} points done") == len(ROWS)
    assert "4 with a result, 0 to be resumed, 0 new" in said
    assert "base.but(" in said
    assert {path: path.stat().st_mtime_ns for path in undisturbed.glob("trials/*/*")} == before


def test_every_searched_trial_has_one_run(undisturbed: Path) -> None:
    client = MlflowClient(f"sqlite:///{undisturbed / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'trial'")
    assert sorted(r.data.tags["trial_id"] for r in runs) == sorted(settings(undisturbed))
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED"}


def test_killed_it_goes_on_to_the_same_points_winners_and_table(
    undisturbed: Path, tmp_path: Path
) -> None:
    chance = random.Random(1)
    for trials in (1, 4, 7):
        driver = subprocess.Popen(
            command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for victim in ("worker", "driver"):
            end = time.monotonic() + 300
            while not (busy := workers(driver)) or len(settings(tmp_path)) < trials:
                assert time.monotonic() < end
                assert driver.poll() is None
                time.sleep(0.05)
            trials += 1
            (chance.choice(busy) if victim == "worker" else driver).kill()
        driver.wait()
    finish(tmp_path)
    same_as(undisturbed, tmp_path)


def test_on_postgresql_it_asks_and_finds_the_same(undisturbed: Path, tmp_path: Path) -> None:
    with postgres("records", "searches") as (records, points):
        databases = ["--tracking-uri", records, "--search-storage", points]
        finish(tmp_path, *databases)
        same_as(undisturbed, tmp_path)
        assert not list(tmp_path.glob("*.db"))
        assert "4 with a result, 0 to be resumed, 0 new" in finish(tmp_path, *databases)


def same_as(undisturbed: Path, storage: Path) -> None:
    assert searches(storage) == searches(undisturbed)
    assert table(storage) == table(undisturbed)
    assert results(storage) == results(undisturbed)
