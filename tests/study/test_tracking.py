"""The storage, projected to a real MLflow."""

import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from study.grid import Grid, Plan, lay_out
from study.measured import wanted
from study.tracking import EXPERIMENT, Tracker, check_reachable
from trainables.measures.measure import file_of
from trainables.settings import Invalid
from trainables.storage import Storage
from trainables.train import Site, fit
from trainables.trial import Trial

OVERRIDES = ("recipe.epochs=2", "recipe.milestones=()", "recipe.schedule=constant")


def resolved(trial: Trial) -> tuple[Trial, str]:
    ready = trial.resolved(Path("/nowhere"), {})
    return ready, ready.id


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Storage, Plan, list[Trial]]:
    """kesl_label_smoothing with two epochs and one seed, trained and tracked once."""
    storage = Storage(tmp_path_factory.mktemp("storage"))
    uri = f"sqlite:///{storage.root / 'mlflow.db'}"
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    for trial in trials:
        fit(trial, storage, Site.here(Path("/nowhere")))
    track(uri, storage, plan)
    return uri, storage, plan, list(trials)


def track(uri: str, storage: Storage, plan: Plan) -> Tracker:
    tracker = Tracker(uri, storage, plan)
    tracker.start()
    assert tracker.stop() == []
    assert tracker.behind is None
    return tracker


def runs(uri: str, kind: str) -> list[Run]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'"))


def test_each_trial_has_one_run_with_settings_history_and_result(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    uri, storage, plan, trials = recorded
    by_id = {run.data.tags["trial_id"]: run for run in runs(uri, "trial")}
    assert sorted(by_id) == sorted(plan.trials())
    for trial in trials:
        run, result = by_id[trial.id], storage.trial(trial.id).read_json("result.json")
        assert run.data.params == {name: str(value) for name, value in trial.flat().items()}
        assert run.info.status == "FINISHED"
        assert run.data.tags["status"] == "finished"
        assert run.data.tags["grid.kesl_label_smoothing"] == plan.study
        assert {"commit", "host", "device", "threads", "torch", "version.ray"} <= set(run.data.tags)
        last = result["selected"]["last"]["test.accuracy"]
        assert run.data.metrics["last/test.accuracy"] == last
        points = MlflowClient(uri).get_metric_history(run.info.run_id, "train.loss")
        told = [(e["epoch"], e["train.loss"], int(e["time"] * 1000)) for e in result["history"]]
        assert sorted((p.step, p.value, p.timestamp) for p in points) == told


def test_the_share_of_wrong_labels_is_told_where_there_is_one(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    assert not any("realised_noise" in run.data.metrics for run in runs(recorded[0], "trial"))
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    noisy = (*OVERRIDES, "data.corrupt=Symmetric(rate=0.4)")
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, noisy, resolved)
    fit(next(iter(trials)), storage, Site.here(Path("/nowhere")))
    track(uri, storage, plan)
    (run,) = runs(uri, "trial")
    assert run.data.metrics["realised_noise"] == pytest.approx(0.4)
    points = MlflowClient(uri).get_metric_history(run.info.run_id, "train.wrong_label_error")
    assert [point.step for point in points] == [1, 2]


def test_writing_twice_changes_nothing(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    uri, storage, plan, _ = recorded
    before = sorted(str(run) for run in runs(uri, "trial"))
    track(uri, storage, plan)
    assert sorted(str(run) for run in runs(uri, "trial")) == before
    assert len(runs(uri, "study")) == 1


def test_what_a_crash_left_unwritten_is_written_at_the_next_start(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    uri, storage, plan, trials = recorded
    client = MlflowClient(uri)
    run = next(run for run in runs(uri, "trial") if run.data.tags["trial_id"] == trials[0].id)
    client.delete_tag(run.info.run_id, "ended")  # as if the last write had not come through
    points = len(client.get_metric_history(run.info.run_id, "test.accuracy"))
    track(uri, storage, plan)
    again = client.get_run(run.info.run_id)
    assert "ended" in again.data.tags
    assert len(client.get_metric_history(run.info.run_id, "test.accuracy")) == points


def test_a_second_grid_uses_the_runs_of_the_first(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    uri, storage, plan, _ = recorded
    other, _ = lay_out("kesl_backbones", "demo", 1, OVERRIDES, resolved)
    shared = set(other.trials()) & set(plan.trials())
    assert shared
    count = len(runs(uri, "trial"))
    track(uri, storage, other)
    after = runs(uri, "trial")
    assert len(after) == count
    tagged = {r.data.tags["trial_id"] for r in after if "grid.kesl_backbones" in r.data.tags}
    assert tagged == shared
    assert len(runs(uri, "study")) == 2


def test_a_rerun_replaces_the_result_in_the_same_run(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    uri, storage, plan, trials = recorded
    trial = trials[1]
    before = next(r for r in runs(uri, "trial") if r.data.tags["trial_id"] == trial.id)
    storage.trial(trial.id).clear()
    time.sleep(0.01)
    fit(trial, storage, Site.here(Path("/nowhere")))
    track(uri, storage, plan)
    mine = [r for r in runs(uri, "trial") if r.data.tags["trial_id"] == trial.id]
    assert [r.info.run_id for r in mine] == [before.info.run_id]
    assert mine[0].data.tags["ended"] > before.data.tags["ended"]


def test_a_server_that_is_down_is_named_at_once() -> None:
    begun = time.monotonic()
    with pytest.raises(Invalid, match=r"--tracking-uri = http://127.0.0.1:9: must be the address"):
        check_reachable("http://127.0.0.1:9")
    assert time.monotonic() - begun < 6


def test_a_server_that_goes_away_stops_nothing(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    _, storage, plan, _ = recorded
    tracker = Tracker("http://127.0.0.1:9", storage, plan)
    tracker.start()
    assert tracker.stop() == plan.trials()
    assert tracker.behind is not None


def test_a_pruned_trial_is_killed_and_one_that_goes_on_runs_and_finishes(
    tmp_path: Path, trial: Trial
) -> None:
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    plan, _ = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    shelf = storage.trial(trial.id)
    shelf.write_json("trial.json", trial.flat())

    def status(pruned: list[str]) -> tuple[str, str]:
        tracker = Tracker(uri, storage, plan, lambda: [trial.id], lambda: pruned)
        tracker.start()
        tracker.stop()
        assert tracker.behind is None
        (run,) = runs(uri, "trial")
        return run.info.status, run.data.tags["status"]

    assert status([trial.id]) == ("KILLED", "pruned")
    assert status([trial.id]) == ("KILLED", "pruned")
    assert status([]) == ("RUNNING", "running")
    fit(trial, storage, Site.here(Path("/nowhere")))
    assert status([]) == ("FINISHED", "finished")
    assert status([trial.id]) == ("FINISHED", "finished")


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
    storage.trial(hard).write_json(file_of(fgsm), stored)
    failure = {**stored, "status": "failed", "reason": "out of GPU memory", "values": {}}
    storage.trial(hard).write_json(file_of(ensemble), failure)
    track(uri, storage, plan)
    (before,) = (run for run in runs(uri, "trial") if run.data.tags["trial_id"] == hard)
    assert before.data.metrics[f"{fgsm}/accuracy"] == 0.25
    assert before.data.params[f"{fgsm}/eps"] == "0.5"
    assert before.data.tags[f"{fgsm}/reason"] == ""
    assert before.data.tags[f"{ensemble}/reason"] == "out of GPU memory"
    (point,) = MlflowClient(uri).get_metric_history(before.info.run_id, f"{fgsm}/accuracy")
    assert point.timestamp == 1_700_000_000_000
    track(uri, storage, plan)
    assert str(MlflowClient(uri).get_run(before.info.run_id)) == str(before)

    recovered = {**stored, "ended": 1_700_000_001.0}  # after --rerun
    storage.trial(hard).write_json(file_of(ensemble), recovered)
    track(uri, storage, plan)
    after = MlflowClient(uri).get_run(before.info.run_id)
    assert after.data.tags[f"{ensemble}/reason"] == ""
    assert after.data.metrics[f"{ensemble}/accuracy"] == 0.25


def test_a_measure_that_mlflow_lacks_is_told(measured_grid: Grid, tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage")
    plan, _ = lay_out("measured_grid", "demo", 1, (), resolved)
    trial_id, name = wanted(plan.cells)[0]
    storage.trial(trial_id).write_json(file_of(name), {"ended": 1.0})
    tracker = Tracker("http://127.0.0.1:9", storage, plan)
    tracker.start()
    assert tracker.stop() == [trial_id]
