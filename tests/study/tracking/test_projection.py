"""What of a trial stands in its run."""

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

import study.tracking.tracker
from analysis.plan import Plan
from study.grids.lay_out import lay_out
from study.tracking.tracker import Tracker
from tests.study.tracking.projected import OVERRIDES, resolved, resting_and_pruned, runs, track
from trainables.storage.storage import Storage
from trainables.training.fit import fail, fit
from trainables.training.site import Site
from trainables.trial import Trial


def test_each_trial_has_one_run_with_settings_history_and_result(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    uri, storage, plan, trials = recorded
    by_id = {run.data.tags["trial_id"]: run for run in runs(uri, "trial")}
    assert sorted(by_id) == sorted(plan.trials())
    for trial in trials:
        run, result = by_id[trial.id], storage.trial(trial.id).shelf.read_json("result.json")
        assert run.data.params == {name: str(value) for name, value in trial.flat().items()}
        assert run.info.status == "FINISHED"
        assert run.data.tags["status"] == "finished"
        assert run.data.tags["grid.kesl_label_smoothing"] == plan.study
        assert {"commit", "host", "device", "threads", "torch", "version.ray"} <= set(run.data.tags)
        assert run.data.metrics["seconds"] == result["seconds"]
        assert len(MlflowClient(uri).get_metric_history(run.info.run_id, "seconds")) == 1
        last = result["selected"]["last"]["test.accuracy"]
        assert run.data.metrics["last/test.accuracy"] == last
        points = MlflowClient(uri).get_metric_history(run.info.run_id, "train.loss")
        told = [(e["epoch"], e["train.loss"], int(e["time"] * 1000)) for e in result["history"]]
        assert sorted((p.step, p.value, p.timestamp) for p in points) == told


def test_the_share_of_wrong_labels_and_which_they_are_is_told_where_there_are_some(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    plain = runs(recorded[0], "trial")
    assert not any("realised_noise" in run.data.metrics for run in plain)
    client = MlflowClient(recorded[0])
    paths = {entry.path for run in plain for entry in client.list_artifacts(run.info.run_id)}
    assert "soft_labels.csv" in paths
    assert "wrong_labels.csv" not in paths
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    noisy = (*OVERRIDES, "data.corrupt=Symmetric(rate=0.4)")
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, noisy, resolved)
    trial = next(iter(trials))
    fit(trial, storage, Site.here(Path("/nowhere")))
    track(uri, storage, plan)
    (run,) = runs(uri, "trial")
    kept = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/wrong_labels.csv")
    assert kept.encode() == storage.trial(trial.id).shelf.read("wrong_labels.csv")
    assert run.data.metrics["realised_noise"] == pytest.approx(0.4)
    points = MlflowClient(uri).get_metric_history(run.info.run_id, "train.wrong_label_error")
    assert [point.step for point in points] == [1, 2]


def test_of_a_running_trial_the_host_is_told(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    _, _, plan, trials = recorded
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    shelf = storage.trial(trials[0].id).shelf
    shelf.write_json("trial.json", trials[0].flat())
    for host in ("node-1", "node-2"):  # lost with its worker, and started elsewhere
        shelf.write_json("site.json", {"host": host, "begun": 1.5})
        track(uri, storage, plan)
        tags = runs(uri, "trial")[0].data.tags
        assert (tags["host"], tags["begun"], tags["status"]) == (host, "1.5", "running")


def test_where_a_new_trial_runs_is_told_as_its_run_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, some = resting_and_pruned(tmp_path, list)
    Storage(tmp_path).trial(some.id).write_site({"host": "node-1"})
    calls: list[tuple[object, ...]] = []
    log = study.tracking.tracker.log
    monkeypatch.setattr(
        study.tracking.tracker, "log", lambda *told: (calls.append(told), log(*told))
    )
    tracker._synchronise(last=False)
    (run,) = runs(tracker.uri, "trial")
    assert run.data.tags["host"] == "node-1"
    assert [tags for *_, tags in calls] == [{}]


def test_a_failed_trial_has_its_reason_and_its_last_50_log_lines(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    _, _, plan, trials = recorded
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    fail(trials[0], storage, "no epoch finished")
    lines = [f"line {i}\n" for i in range(60)]
    storage.trial(trials[0].id).shelf.write("log.txt", "".join(lines).encode())
    track(uri, storage, plan)
    run = runs(uri, "trial")[0]
    assert run.data.tags["reason"] == "no epoch finished"
    path = MlflowClient(uri).download_artifacts(run.info.run_id, "log.txt", str(tmp_path))
    assert Path(path).read_text() == "".join(lines[10:])


def test_a_trial_that_the_study_has_given_up_has_a_run_too(tmp_path: Path) -> None:
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    some = next(iter(trials))
    storage.trial(some.id).shelf.write_json("site.json", {"host": "h", "cpus": 2.0, "begun": 1.5})
    fail(some, storage, "it hung")
    track(uri, storage, plan)
    (run,) = runs(uri, "trial")
    assert (run.info.status, run.data.tags["reason"]) == ("FAILED", "it hung")
    assert run.data.tags["retried"] == "False"
    assert (run.data.tags["host"], run.data.tags["cpus"]) == ("h", "2.0")  # where its time went


def test_a_table_that_is_too_long_for_mlflow_ends_after_a_line_and_says_where_the_rest_is(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    _, storage, plan, _ = recorded
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", storage, plan)
    tracker.start()
    assert tracker.stop() == []
    for lines, whole in ((79, True), (81, False)):
        table = f"{'x' * 99}\n" * lines
        tracker.log_report(tmp_path, table)
        shown = runs(tracker.uri, "study")[0].data.tags["mlflow.note.content"]
        kept = f"{'x' * 99}\n" * 79
        rest = "\nThe rest is in report/table.md."
        assert shown == (table if whole else kept + rest)
