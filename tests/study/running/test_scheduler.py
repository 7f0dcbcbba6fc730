"""The search command with a pruner: real Ray, real Optuna, real MLflow."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from study.command import main
from tests.study.command import TINY, command, database, here, runs, searches, written

POINTS, EPOCHS = 8, 4
ROW = "only KL: T 16, alpha 0, beta 1"


def run(storage: Path, *further: str) -> str:
    row = ["--only", ROW, "--seeds", "1", "--max-concurrent", "1"]
    search = ["--search", str(POINTS), "--sampler", "random", *further]
    return here(command("kesl_ablation", storage, *row, *search, *TINY, epochs=EPOCHS))


def points(storage: Path) -> list[dict[str, Any]]:
    (search,) = searches(storage)
    found: list[dict[str, Any]] = search["points"]
    return found


def states(storage: Path) -> Counter[tuple[str, str]]:
    """How many runs of trials there are, by MLflow's status and ours."""
    tracked = runs(database(storage), "trial")
    return Counter((run.info.status, run.data.tags["status"]) for run in tracked)


@pytest.mark.slow(minutes=3)
@pytest.mark.timeout(1200)
def test_a_search_prunes_and_again_trains_nothing_and_unpruned_goes_on(tmp_path: Path) -> None:
    said = run(tmp_path, "--pruner", "median")
    found = points(tmp_path)
    pruned = [point for point in found if point["state"] == "pruned"]
    assert len(found) == POINTS
    assert pruned
    used = 0
    for point in found:
        shelf = tmp_path / "trials" / point["trials"][0]
        made = json.loads((shelf / "history.json").read_text())
        used += len(made)
        assert len(made) == len(point["epochs"])
        assert (len(made) < EPOCHS) == (point in pruned)
        assert (shelf / "result.json").exists() == (point not in pruned)
    assert f"{POINTS} points, {used} of {POINTS * EPOCHS} epochs" in " ".join(said.split())
    assert "count by the epochs that they used" in " ".join(said.split())
    winner_and_row = 2
    finished = POINTS - len(pruned) + winner_and_row
    assert states(tmp_path) == {
        ("KILLED", "pruned"): len(pruned),
        ("FINISHED", "finished"): finished,
    }

    before = written(tmp_path)
    again = run(tmp_path, "--pruner", "median")
    assert f": {POINTS} of {POINTS} points done" in again
    assert points(tmp_path) == found
    assert written(tmp_path) == before

    run(tmp_path)  # the same points without a pruner: the pruned trials go on to their end
    assert all(point["state"] == "complete" for point in points(tmp_path))
    assert set(states(tmp_path)) == {("FINISHED", "finished")}
    for point in pruned:
        log = (tmp_path / "trials" / point["trials"][0] / "log.txt").read_text()
        assert log.count("validation.accuracy") == EPOCHS  # each epoch once


def test_an_unknown_pruner_is_refused_and_the_dry_run_says_that_it_may_cost_less(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ["--grid", "kesl_ablation", "--only", ROW, "--search", "2", "--storage", str(tmp_path)]
    assert main([*search, "--pruner", "halving"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--pruner" in error
    assert "median" in error
    assert main([*search, "--pruner", "asha", "--dry-run"]) == 0
    assert "--pruner asha may end trials early" in capsys.readouterr().out
