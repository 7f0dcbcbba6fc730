import sqlite3
from pathlib import Path

import pytest
from copies import copied
from scale import Cost, compared, growth, main, planned, table

from study.tracking.tracker import Tracker
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site


def test_memory_grows_by_the_slope_of_its_later_part() -> None:
    samples = [(0.0, 0.0), (1.0, 500.0), *((float(t), 1000.0 + 3 * t) for t in range(3, 11))]
    assert growth(samples, wall=10.0) == pytest.approx(30.0)
    assert growth([], wall=1.0) == 0.0


def test_what_the_study_adds_is_told_for_one_trial() -> None:
    bare = Cost(trials=100, wall=10.0, cpu=2.0, memory=60.0)
    theirs = Cost(trials=50, wall=100.0, cpu=60.0, memory=60.0)
    ours = Cost(trials=100, wall=25.0, cpu=7.0, memory=85.0)
    found = compared(bare, theirs, ours, tenth=2.0, whole=30.0)
    assert [figure.values[0] for figure in found] == pytest.approx([0.15, 0.05, 25, 8, 30, 1.5])
    assert [figure.missed for figure in found] == [True, False, True, False, True, True]


def test_copied_runs_are_whole_and_in_the_table(tmp_path: Path) -> None:
    plan, trials = planned(2)
    storage = Storage(tmp_path / "storage")
    for trial in trials.values():
        fit(trial, storage, Site.here(tmp_path))
    tracker = Tracker(f"sqlite:///{storage.root / 'mlflow.db'}", storage, plan)
    tracker.start()
    assert tracker.stop() == []
    ids = copied(storage.root / "mlflow.db", tmp_path / "more.db", plan.trials(), 5)
    assert ids == [*plan.trials(), *(f"{i}-1" for i in plan.trials()), f"{plan.trials()[0]}-2"]
    with sqlite3.connect(tmp_path / "more.db") as database:
        counts = database.execute("SELECT count(*) FROM params GROUP BY run_uuid").fetchall()
    assert len(counts) == 5
    assert len(set(counts)) == 1
    for count in (1, 7):  # fewer than recorded, and more
        assert table(tmp_path, count) > 0


@pytest.mark.slow
def test_a_small_bench_runs_all_three_drivers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trials", "2", "--runs", "50", "--slots", "1"]) in (0, 1)
    said = capsys.readouterr().out
    for name in ("plain", "callback", "study"):
        assert f"{name:9} 2 trials in " in said
    assert "table of 5 runs in " in said
    assert said.count("values/s to MLflow") == 2
