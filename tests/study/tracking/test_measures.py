"""Measures, projected to the runs of their trials."""

from pathlib import Path

from mlflow import MlflowClient

from study.grids.grid import Grid
from study.grids.lay_out import lay_out
from study.measures import wanted
from study.tracking.tracker import Tracker
from tests.study.command import runs
from tests.study.tracking.projected import resolved, track
from trainables.storage import names
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site


def test_measures_go_to_their_trials_run_once_with_settings_and_reason(
    measured_grid: Grid, tmp_path: Path
) -> None:
    storage = Storage(tmp_path / "storage")
    uri = f"sqlite:///{storage.root / 'mlflow.db'}"
    plan, trials = lay_out("measured_grid", "demo", 1, (), resolved)
    for trial in trials:
        fit(trial, storage, Site.here(Path("/nowhere")))
    hard = plan.trials()[0]
    (_, fgsm), (_, ensemble) = wanted(plan.cells)[:2]
    stored = {
        "status": "finished",
        "reason": None,
        "values": {"accuracy": 0.25, "top5_accuracy": 0.5},
        "settings": {"measure": "Fgsm", "eps": 0.5},
        "seconds": 2.0,
        "ended": 1_700_000_000.0,
    }
    storage.trial(hard).shelf.write_json(names.measure(fgsm), stored)
    failure = {**stored, "status": "failed", "reason": "out of GPU memory", "values": {}}
    storage.trial(hard).shelf.write_json(names.measure(ensemble), failure)
    storage.trial(hard).shelf.write(names.features(fgsm), b"x,y,label\n1,2,zero\n")
    track(uri, storage, plan)
    (before,) = (run for run in runs(uri, "trial") if run.data.tags["trial_id"] == hard)
    kept = [a.path for a in MlflowClient(uri).list_artifacts(before.info.run_id)]
    assert [path for path in kept if path.startswith("features-")] == [names.features(fgsm)]
    assert before.data.metrics[f"{fgsm}/accuracy"] == 0.25
    assert before.data.params[f"{fgsm}/eps"] == "0.5"
    assert before.data.tags[f"{fgsm}/reason"] == ""
    assert before.data.tags[f"{ensemble}/reason"] == "out of GPU memory"
    (point,) = MlflowClient(uri).get_metric_history(before.info.run_id, f"{fgsm}/accuracy")
    assert point.timestamp == 1_700_000_000_000
    track(uri, storage, plan)
    assert str(MlflowClient(uri).get_run(before.info.run_id)) == str(before)

    recovered = {**stored, "ended": 1_700_000_001.0}  # after --rerun
    storage.trial(hard).shelf.write_json(names.measure(ensemble), recovered)
    track(uri, storage, plan)
    after = MlflowClient(uri).get_run(before.info.run_id)
    assert after.data.tags[f"{ensemble}/reason"] == ""
    assert after.data.metrics[f"{ensemble}/accuracy"] == 0.25


def test_a_measure_that_mlflow_lacks_is_told(measured_grid: Grid, tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage")
    plan, _ = lay_out("measured_grid", "demo", 1, (), resolved)
    trial_id, name = wanted(plan.cells)[0]
    storage.trial(trial_id).shelf.write_json(names.measure(name), {"ended": 1.0})
    tracker = Tracker("http://127.0.0.1:9", storage, plan)
    tracker.start()
    assert tracker.stop() == [trial_id]
