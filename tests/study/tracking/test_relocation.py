"""A storage that was moved or copied keeps its artifacts to itself."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from study.tracking.relocation import settle
from trainables.storage.storage import Storage


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A storage with a run that has an artifact, and an experiment of somebody else's."""
    root = tmp_path / "original"
    root.mkdir()
    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    ours = client.create_experiment("label-studies", f"{root.as_uri()}/artifacts")
    # By hand: a client of this process would remember where the run's artifacts were.
    place = root / "artifacts" / client.create_run(ours).info.run_id / "artifacts"
    place.mkdir(parents=True)
    (place / "a.txt").write_text("old")
    client.create_experiment("theirs", "file:///somewhere/else")
    return root


def artifacts(root: Path) -> set[str]:
    return {path.read_text() for path in root.rglob("a.txt")}


@pytest.mark.parametrize("name", ["copy", "my störage #1"])
def test_a_copy_reads_and_writes_inside_itself(original: Path, name: str) -> None:
    copy = original.with_name(name)
    shutil.copytree(original, copy)
    shutil.rmtree(original)
    uri = f"sqlite:///{copy}/mlflow.db"
    settle(uri, Storage(copy))
    client = MlflowClient(uri)
    (run,) = client.search_runs(["1"])
    assert run.info.artifact_uri.startswith(copy.as_uri())
    assert Path(client.download_artifacts(run.info.run_id, "a.txt")).read_text() == "old"
    client.log_text(run.info.run_id, "new", "a.txt")
    client.log_text(client.create_run("1").info.run_id, "further", "a.txt")
    assert artifacts(copy) == {"new", "further"}
    assert not original.exists()
    assert client.get_experiment_by_name("theirs").artifact_location == "file:///somewhere/else"


def test_where_it_was_nothing_changes(original: Path) -> None:
    before = (original / "mlflow.db").read_bytes()
    settle(f"sqlite:///{original}/mlflow.db", Storage(original))
    assert (original / "mlflow.db").read_bytes() == before


def test_only_the_storages_own_database_is_looked_at(original: Path, tmp_path: Path) -> None:
    before = (original / "mlflow.db").read_bytes()
    for uri in (f"sqlite:///{original}/mlflow.db", "http://host:5000", "sqlite:////x/y.db"):
        settle(uri, Storage(tmp_path / "another"))
    settle("http://host:5000", Storage("s3://bucket/x"))
    assert (original / "mlflow.db").read_bytes() == before


def test_a_new_database_is_left_to_mlflow(tmp_path: Path) -> None:
    settle(f"sqlite:///{tmp_path}/mlflow.db", Storage(tmp_path))
    assert list(tmp_path.iterdir()) == []
