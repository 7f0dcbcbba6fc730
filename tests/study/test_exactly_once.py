"""What has been trained is not trained again. Real Ray, real MLflow; the kills: test_chaos.py."""

from pathlib import Path

import pytest

from tests.study.command import ONE, command, database, here, results, runs, written

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EPOCHS = 3


def run(grid: str, storage: Path, *more: str, code: int = 0) -> str:
    return here(command(grid, storage, "--seeds", "1", *ONE, *more, epochs=EPOCHS), code)


def test_neither_the_same_study_nor_another_grid_trains_it_again(tmp_path: Path) -> None:
    assert "6 new" in run("kesl_backbones", tmp_path)
    ids, before = set(results(tmp_path)), written(tmp_path)
    assert "6 with a result, 0 to be resumed, 0 new" in run("kesl_backbones", tmp_path)
    assert "2 with a result, 0 to be resumed, 0 new" in run("kesl_sota", tmp_path)
    assert written(tmp_path) == before
    assert sorted(r.data.tags["trial_id"] for r in runs(database(tmp_path), "trial")) == sorted(ids)
    assert len(runs(database(tmp_path), "study")) == 2


def test_a_trial_that_fails_is_marked_and_tried_again_where_that_is_asked(tmp_path: Path) -> None:
    wild = ("--set", "recipe.lr=1e30")
    assert "epoch 1, step" in run("kesl_label_smoothing", tmp_path, *wild, code=1)
    assert {status for status, _, _ in results(tmp_path).values()} == {"failed"}
    again = run("kesl_label_smoothing", tmp_path, *wild, code=1)
    assert "2 with a result, 0 to be resumed, 0 new" in again
    rerun = run("kesl_label_smoothing", tmp_path, *wild, "--rerun", "failed", code=1)
    assert "0 with a result, 0 to be resumed, 2 new" in rerun
