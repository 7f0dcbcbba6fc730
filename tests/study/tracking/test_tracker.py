"""The storage, projected to a real MLflow."""

import time
from pathlib import Path

from mlflow import MlflowClient

from analysis.plan import Plan
from study.grids.lay_out import lay_out
from study.lease import lease
from study.tracking.tracker import Tracker
from tests.study.tracking.projected import OVERRIDES, epoch, resolved, runs, statuses, track
from trainables.storage.claims import of_trial
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.training.fit import fail, fit
from trainables.training.site import Site
from trainables.trial import Trial


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
    shelf = storage.trial(trial.id).shelf
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
    assert status([]) == ("KILLED", "running")
    fit(trial, storage, Site.here(Path("/nowhere")))
    assert status([]) == ("FINISHED", "finished")
    assert status([trial.id]) == ("FINISHED", "finished")


def test_a_run_without_a_result_is_killed_at_the_end_and_runs_again_when_resumed(
    tmp_path: Path,
) -> None:
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    some = next(iter(trials))
    storage.trial(some.id).shelf.write_json("trial.json", some.flat())
    for _ in range(2):
        tracker = Tracker(uri, storage, plan)
        tracker.begun(some.id)
        tracker.start()
        end = time.monotonic() + 60
        while not tracker._running(some.id):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert statuses(uri, "trial") == statuses(uri, "study") == ["RUNNING"]
        assert tracker.stop(within=60) == []
        assert statuses(uri, "trial") == statuses(uri, "study") == ["KILLED"]
    fit(some, storage, Site.here(Path("/nowhere")))
    track(uri, storage, plan)
    assert statuses(uri, "trial") == ["FINISHED"]


def test_a_trial_that_is_trained_again_is_told_to_be_running(tmp_path: Path) -> None:
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    some = next(iter(trials))
    fail(some, storage, "bad data")
    track(uri, storage, plan)
    storage.trial(some.id).clear()
    storage.trial(some.id).shelf.write_json("trial.json", some.flat())
    tracker = Tracker(uri, storage, plan)
    tracker.begun(some.id)
    tracker.start()
    tracker.stop()
    (run,) = runs(uri, "trial")
    assert (run.info.status, run.data.tags["status"]) == ("KILLED", "running")


def written(tracker: Tracker) -> int:
    """Of how many trials the tracker has written a result."""
    return sum(recorded.ended is not None for recorded in list(tracker._recorded.values()))


def test_two_storages_at_the_same_moment_make_one_run_an_id(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    _, storage, plan, trials = recorded
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    MlflowClient(uri).search_experiments()  # makes the tables
    others = []
    for name in ("one", "other", "third"):
        other = Storage(tmp_path / name)
        for trial in trials:
            for file in ("trial.json", "result.json"):
                value = storage.trial(trial.id).shelf.read_json(file)
                other.trial(trial.id).shelf.write_json(file, value)
        others.append(other)
    trackers = [Tracker(uri, other, plan) for other in others]
    for tracker in trackers:
        tracker.start()
    end = time.monotonic() + 60
    while any(written(tracker) < len(trials) for tracker in trackers):
        assert time.monotonic() < end
        time.sleep(0.05)
    for tracker in trackers:
        tracker.stop()
    assert sorted(r.data.tags["trial_id"] for r in runs(uri, "trial")) == sorted(plan.trials())
    assert len(runs(uri, "study")) == 1
    assert set(statuses(uri, "trial")) == {"FINISHED"}


def test_what_a_crash_left_twice_or_without_settings_is_put_right(
    recorded: tuple[str, Storage, Plan, list[Trial]],
) -> None:
    uri, storage, plan, trials = recorded
    trial = trials[0]
    client = MlflowClient(uri)
    (old,) = (r for r in runs(uri, "trial") if r.data.tags["trial_id"] == trial.id)
    tags = {"kind": "trial", "trial_id": trial.id}
    client.create_run(old.info.experiment_id, tags=tags)
    track(uri, storage, plan)
    (left,) = (r for r in runs(uri, "trial") if r.data.tags["trial_id"] == trial.id)
    assert left.info.run_id == old.info.run_id
    client.delete_run(old.info.run_id)
    client.create_run(old.info.experiment_id, tags=tags)  # killed before it wrote settings
    track(uri, storage, plan)
    (new,) = (r for r in runs(uri, "trial") if r.data.tags["trial_id"] == trial.id)
    assert new.data.params == old.data.params
    assert new.info.status == "FINISHED"


def test_beside_another_command_each_writes_what_it_has_claimed(tmp_path: Path) -> None:
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    storage, uri = Storage(tmp_path), f"sqlite:///{tmp_path / 'mlflow.db'}"
    own, theirs = list(trials)[:2]

    def told() -> dict[str, str]:
        return {run.data.tags["trial_id"]: run.info.status for run in runs(uri, "trial")}

    with lease(storage, "mine") as mine, lease(storage, "another") as another:
        for trial, command in ((own, mine), (theirs, another)):
            command.claim(of_trial(trial.id))
            storage.trial(trial.id).write_settings(trial.flat())
            storage.trial(trial.id).write_history([epoch(1)])
        one, other = (Tracker(uri, storage, plan, command=c) for c in (mine, another))
        one.begun(own.id)
        one.begun(theirs.id)  # whose worker has found it taken
        other.begun(theirs.id)
        one._synchronise(last=False)
        assert told() == {own.id: "RUNNING"}
        other._synchronise(last=False)
        assert told() == {own.id: "RUNNING", theirs.id: "RUNNING"}
        one._synchronise(last=True)  # stopped: what the other one trains goes on
        assert told() == {own.id: "KILLED", theirs.id: "RUNNING"}
        storage.trial(theirs.id).end(Result(history=[epoch(1), epoch(2)]))
        again = Tracker(uri, storage, plan, command=mine)
        again._synchronise(last=False)
        assert told()[theirs.id] == "RUNNING"  # the other one will write it
        again._synchronise(last=True)  # but has not yet, and the table needs it
        assert told()[theirs.id] == "FINISHED"
        other._synchronise(last=True)
    assert len(runs(uri, "trial")) == 2
    assert told() == {own.id: "KILLED", theirs.id: "FINISHED"}
