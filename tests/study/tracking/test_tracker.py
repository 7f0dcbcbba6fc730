"""The storage, projected to a real MLflow."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import study.tracking.runs
import study.tracking.tracker
from analysis.plan import Plan
from analysis.records import EXPERIMENT, EXPERIMENT_TAGS
from study.grids.lay_out import lay_out
from study.lease import lease
from study.tracking.relocation import settle
from study.tracking.runs import Runs, commit
from study.tracking.tracker import Tracker
from trainables.selection import Epoch
from trainables.storage.claims import of_trial
from trainables.storage.result import Result
from trainables.storage.shelf import Shelf
from trainables.storage.storage import Storage
from trainables.training.fit import fail, fit
from trainables.training.site import Site
from trainables.trial import Trial

OVERRIDES = ("recipe.epochs=2", "recipe.milestones=()", "recipe.schedule=constant")


def resolved(trial: Trial) -> tuple[Trial, str]:
    ready = trial.resolved(Path("/nowhere"), {})
    return ready, ready.id


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, list[Trial]]:
    """kesl_label_smoothing with two epochs and one seed, trained and tracked once."""
    storage = Storage(tmp_path_factory.mktemp("storage"))
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    for trial in trials:
        fit(trial, storage, Site.here(Path("/nowhere")))
    track(f"sqlite:///{storage.root / 'mlflow.db'}", storage, plan)
    return storage.root, plan, list(trials)


@pytest.fixture
def recorded(
    original: tuple[Path, Plan, list[Trial]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Storage, Plan, list[Trial]]:
    """A copy of it for each test, which may change it."""
    root, plan, trials = original
    copy = tmp_path_factory.mktemp("copy") / "storage"
    shutil.copytree(root, copy)
    storage, uri = Storage(copy), f"sqlite:///{copy / 'mlflow.db'}"
    settle(uri, storage)
    return uri, storage, plan, trials


def track(
    uri: str, storage: Storage, plan: Plan, pruned: Callable[[], list[str]] = list
) -> Tracker:
    tracker = Tracker(uri, storage, plan, pruned=pruned)
    tracker.start()
    assert tracker.stop() == []
    assert tracker.behind is None
    return tracker


def statuses(uri: str, kind: str) -> list[str]:
    return [run.info.status for run in runs(uri, kind)]


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


def test_a_result_that_is_written_is_not_read_again(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    _, storage, plan, _ = recorded
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", storage, plan)
    for _ in range(2):  # the second time it is seen that all is there
        tracker._synchronise(last=False)
    tracker.storage = Storage(tmp_path / "elsewhere")
    tracker.start()
    assert tracker.stop() == []
    assert {run.data.tags["status"] for run in runs(tracker.uri, "trial")} == {"finished"}


class Watched(Storage):
    """Notes of which trials files are asked for."""

    def __init__(self, where: Path) -> None:
        super().__init__(where)
        self.asked: list[str] = []

    def trial(self, trial_id: str) -> Shelf:
        self.asked.append(trial_id)
        return super().trial(trial_id)


def resting_and_pruned(tmp_path: Path, pruned: Callable[[], list[str]]) -> tuple[Tracker, Trial]:
    """A tracker of trials that nobody has begun, and one of them with an epoch."""
    plan, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    some = next(iter(trials))
    storage = Watched(tmp_path)
    Storage(tmp_path).trial(some.id).shelf.write_json("trial.json", some.flat())
    Storage(tmp_path).trial(some.id).shelf.write_json("history.json", [epoch(1)])
    return Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", storage, plan, pruned=pruned), some


def epoch(number: int) -> Epoch:
    return {"epoch": number, "time": 1_700_000_000.0 + number, "train.loss": 0.5}


def read_in_a_round(tracker: Tracker) -> list[str]:
    assert isinstance(tracker.storage, Watched)
    tracker.storage.asked.clear()
    tracker._synchronise(last=False)
    return list(tracker.storage.asked)


def test_what_is_pruned_or_not_begun_is_read_once_until_it_is_begun(tmp_path: Path) -> None:
    rounds: list[int] = []
    pruned: list[str] = []

    def asked() -> list[str]:
        rounds.append(len(pruned))
        return pruned

    tracker, some = resting_and_pruned(tmp_path, asked)
    pruned.append(some.id)
    assert read_in_a_round(tracker) == tracker.plan.trials()
    assert read_in_a_round(tracker) == []
    assert len(rounds) == 2  # what is pruned is asked for once a round
    assert newest(tracker, some) == ("KILLED", "pruned", 1)

    pruned.clear()  # another search goes on with it
    tracker.begun(some.id)
    for number in (2, 3):
        history = [epoch(i + 1) for i in range(number)]
        Storage(tmp_path).trial(some.id).shelf.write_json("history.json", history)
        assert read_in_a_round(tracker) == [some.id]
        assert newest(tracker, some) == ("RUNNING", "running", number)
    pruned.append(some.id)
    assert read_in_a_round(tracker) == [some.id]
    assert read_in_a_round(tracker) == []
    assert newest(tracker, some) == ("KILLED", "pruned", 3)
    Storage(tmp_path).trial(some.id).write_history([epoch(i) for i in range(1, 5)])
    tracker.start()
    tracker.stop()
    assert newest(tracker, some) == ("KILLED", "pruned", 4)  # the last round reads everything


def newest(tracker: Tracker, trial: Trial) -> tuple[str, str, int]:
    (run,) = (r for r in runs(tracker.uri, "trial") if r.data.tags["trial_id"] == trial.id)
    return run.info.status, run.data.tags["status"], int(run.data.metrics["epoch"])


def test_of_a_pruned_trial_it_is_told_once_what_it_took(tmp_path: Path) -> None:
    tracker, some = resting_and_pruned(tmp_path, lambda: [some.id])
    history = [epoch(1), {**epoch(2), "seconds": 7.5}]
    points = []
    for rows in (history[:1], history, history):  # the first as an earlier version wrote it
        Storage(tmp_path).trial(some.id).shelf.write_json("history.json", rows)
        track(tracker.uri, tracker.storage, tracker.plan, lambda: [some.id])
        (run,) = runs(tracker.uri, "trial")
        found = MlflowClient(tracker.uri).get_metric_history(run.info.run_id, "seconds")
        points.append([(p.value, p.step, p.timestamp) for p in found])
    assert points == [[], *2 * [[(7.5, 0, 1_700_000_002_000)]]]


def test_a_pruned_trial_that_is_begun_in_the_middle_of_a_round_is_read_in_the_next(
    tmp_path: Path,
) -> None:
    def pruned() -> list[str]:
        tracker.begun(some.id)  # as the main thread may at any moment
        return [some.id]

    tracker, some = resting_and_pruned(tmp_path, pruned)
    assert some.id in read_in_a_round(tracker)
    assert read_in_a_round(tracker) == [some.id]


def test_a_trial_that_failed_untrained_with_its_teacher_is_written_while_others_run(
    tmp_path: Path,
) -> None:
    tracker, teacher = resting_and_pruned(tmp_path, list)
    _, trials = lay_out("kesl_label_smoothing", "demo", 1, OVERRIDES, resolved)
    student = list(trials)[1]
    tracker.begun(teacher.id)
    tracker.follow([teacher.id, student.id])
    tracker._synchronise(last=False)
    fail(teacher, Storage(tmp_path), "bad data")
    tracker._synchronise(last=False)
    fail(student, Storage(tmp_path), "its teacher failed")
    for _ in range(2):
        tracker._synchronise(last=False)
    assert statuses(tracker.uri, "trial") == ["FAILED", "FAILED"]


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


def test_of_two_that_create_a_run_and_then_look_no_two_are_left(
    recorded: tuple[str, Storage, Plan, list[Trial]], tmp_path: Path
) -> None:
    """The race itself, many times: all threads create between two looks."""
    _, storage, _, _ = recorded
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    experiment = client.create_experiment(EXPERIMENT, tags=EXPERIMENT_TAGS)
    start = threading.Barrier(4)

    def race() -> None:
        found = Runs(client, storage)
        for i in range(5):
            start.wait()
            found.only(f"tags.trial_id = 'x{i}'", {"trial_id": f"x{i}"})

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = client.search_runs([experiment])
    assert sorted(run.data.tags["trial_id"] for run in left) == [f"x{i}" for i in range(5)]


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


def test_without_git_the_commit_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit.__wrapped__() == ""


def test_of_the_tree_only_the_sources_make_a_commit_dirty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    for name in ("analysis", "study", "trainables", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").touch()
    git("init")
    git("add", ".")
    git("commit", "-m", "a")
    monkeypatch.setattr(
        study.tracking.runs, "__file__", str(tmp_path / "study" / "tracking" / "runs.py")
    )
    (tmp_path / "tests" / "a.py").unlink()  # as on a node of a cluster
    (tmp_path / "new.txt").touch()
    assert commit.__wrapped__() == git("rev-parse", "HEAD")
    for name in ("analysis", "study", "trainables"):
        (tmp_path / name / "a.py").write_text("changed")
        assert commit.__wrapped__() == git("rev-parse", "HEAD") + "-dirty"
        git("checkout", "--", name)


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
