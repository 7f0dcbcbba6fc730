"""The experiment and its runs, after what people do to them in MLflow's pages."""

import subprocess
import threading
from pathlib import Path

import pytest
from mlflow import MlflowClient

import study.tracking.runs
from analysis import runs as reader
from analysis.plan import Plan
from analysis.records import EXPERIMENT, EXPERIMENT_TAGS
from study.command import main
from study.grids.lay_out import lay_out
from study.tracking.runs import Runs, commit, row_of, trial_tags
from study.tracking.tracker import Tracker
from trainables.settings import Invalid
from trainables.storage.storage import Storage
from trainables.trial import Trial

GRID = "kesl_label_smoothing"


def resolved(trial: Trial) -> tuple[Trial, str]:
    ready = trial.resolved(Path("/nowhere"), {})
    return ready, ready.id


@pytest.fixture
def plan() -> Plan:
    return lay_out(GRID, "demo", 2, (), resolved)[0]


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mlflow.db"


def track(uri: str, storage: Storage, plan: Plan) -> None:
    tracker = Tracker(uri, storage, plan)
    tracker.start()
    assert tracker.stop() == []
    assert tracker.behind is None


def studies(uri: str) -> list[str]:
    """The study's run in each experiment that has one."""
    client = MlflowClient(uri)
    ids = [e.experiment_id for e in client.search_experiments()]
    return [r.info.run_id for r in client.search_runs(ids, "tags.kind = 'study'")]


def test_the_experiment_opens_as_training_of_models(uri: str, storage: Storage) -> None:
    client = MlflowClient(uri)
    Runs(client, storage)
    found = client.get_experiment_by_name(EXPERIMENT)
    assert found is not None
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_deleted_experiment_is_restored_with_its_runs_and_told(
    uri: str, storage: Storage, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    track(uri, storage, plan)
    (before,) = studies(uri)
    client = MlflowClient(uri)
    client.delete_experiment(Runs(client, storage).experiment)
    track(uri, storage, plan)
    assert studies(uri) == [before]
    said = "MLflow: the experiment 'label-studies' was deleted, and is restored"
    assert said in capsys.readouterr().out


def test_a_renamed_experiment_is_found_again_and_not_doubled(
    uri: str, storage: Storage, plan: Plan
) -> None:
    track(uri, storage, plan)
    (before,) = studies(uri)
    client = MlflowClient(uri)
    client.rename_experiment(Runs(client, storage).experiment, "our best work")
    track(uri, storage, plan)
    assert studies(uri) == [before]
    assert client.get_experiment_by_name(EXPERIMENT) is None
    assert reader.plan(uri, plan.study) == plan


def test_one_that_was_made_without_tags_gets_them(uri: str, storage: Storage) -> None:
    client = MlflowClient(uri)
    old = client.create_experiment(EXPERIMENT)
    assert Runs(client, storage).experiment == old
    assert client.get_experiment(old).tags["kind"] == EXPERIMENT


@pytest.mark.parametrize("mode", ["--status", "--report"])
def test_a_deleted_experiment_is_told_to_who_reads_it(
    mode: str,
    uri: str,
    storage: Storage,
    plan: Plan,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    track(uri, storage, plan)
    client = MlflowClient(uri)
    client.delete_experiment(Runs(client, storage).experiment)
    with pytest.raises(Invalid, match="was deleted in MLflow: restore it there, or run the study"):
        reader.plan(uri, plan.study)
    assert main(["--grid", GRID, "--storage", str(tmp_path), mode]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "was deleted in MLflow" in error


def test_a_run_is_named_by_its_row_and_seed(plan: Plan) -> None:
    cell = plan.cells[1]
    trial_id = cell.trials["1"]
    assert trial_id is not None
    tags = trial_tags(plan, "parent", trial_id, {"seed": 1})
    assert tags["mlflow.runName"] == "label smoothing, lr 0.001, seed 1"
    assert tags["row"] == "label smoothing, lr 0.001"
    assert row_of(plan, "0123456789ab") == "in no row (012345)"


@pytest.mark.slow
def test_of_two_that_create_a_run_and_then_look_no_two_are_left(uri: str, storage: Storage) -> None:
    """The race itself, many times: all threads create between two looks."""
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
