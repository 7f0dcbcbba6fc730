"""The search command as a whole: real Ray, real Optuna, real MLflow, SIGKILL."""

import json
import random
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import get_storage

from tests.study.command import (
    TINY,
    command,
    database,
    driving,
    here,
    results,
    runs,
    searches,
    table,
    written,
)
from tests.study.postgres import postgres

pytestmark = [pytest.mark.slow(minutes=8), pytest.mark.timeout(1200)]

POINTS = 4
ROWS = ("only CE", "only KL: T 16, alpha 0, beta 1")


def search(storage: Path, *more: str) -> list[str]:
    rows = [part for row in ROWS for part in ("--only", row)]
    one = ["--search", str(POINTS), "--max-concurrent", "1", "--seeds", "1"]
    return command("kesl_ablation", storage, *rows, *one, *TINY, *more, epochs=3)


def settings(storage: Path) -> dict[str, dict[str, Any]]:
    paths = storage.glob("trials/*/trial.json")
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("undisturbed")
    here(search(storage))
    return storage


def test_test_images_are_read_after_the_searches_only(undisturbed: Path) -> None:
    optuna = get_storage(f"sqlite:///{undisturbed / 'optuna.db'}")
    told: list[datetime] = []
    for study in optuna.get_all_studies():
        points = optuna.get_all_trials(study._study_id)
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
    before = written(undisturbed)
    said = here(search(undisturbed))
    assert said.count(f": {POINTS} of {POINTS} points done") == len(ROWS)
    assert "4 with a result, 0 to be resumed, 0 new" in said
    assert "base.but(" in said
    assert written(undisturbed) == before


def begun(storage: Path, trials: int) -> bool:
    return len(settings(storage)) >= trials


def test_killed_it_goes_on_to_the_same_points_winners_and_table(
    undisturbed: Path, tmp_path: Path
) -> None:
    chance = random.Random(1)
    for trials in (1, 4, 7):
        with driving(search(tmp_path)) as driver:
            driver.wait_until(partial(begun, tmp_path, trials))
            driver.kill_worker(chance)
            driver.wait_until(partial(begun, tmp_path, trials + 1))
            driver.wait_until(driver.workers)
    here(search(tmp_path))
    same_as(undisturbed, tmp_path, database(tmp_path))


def test_on_postgresql_it_asks_and_finds_the_same(undisturbed: Path, tmp_path: Path) -> None:
    with postgres("records", "searches") as (records, points):
        databases = ["--tracking-uri", records, "--search-storage", points]
        here(search(tmp_path, *databases))
        same_as(undisturbed, tmp_path, records)
        assert not list(tmp_path.glob("*.db"))
        assert "4 with a result, 0 to be resumed, 0 new" in here(search(tmp_path, *databases))


def same_as(undisturbed: Path, storage: Path, tracker: str) -> None:
    assert searches(storage) == searches(undisturbed)
    assert table(storage) == table(undisturbed)
    assert results(storage) == results(undisturbed)
    tracked = runs(tracker, "trial")
    assert sorted(run.data.tags["trial_id"] for run in tracked) == sorted(settings(storage))
    assert {run.info.status for run in tracked} <= {"FINISHED", "FAILED"}
