"""A real study with measures: real Ray, real MLflow."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from mlflow import MlflowClient

from study.command import main
from study.lease import lease
from study.measures import Job
from study.request import Resources
from study.running import cluster
from study.running import measures as measuring
from trainables.measures.calibration import Calibration
from trainables.measures.measure import label
from trainables.measures.top_k import TopK
from trainables.settings import Use
from trainables.storage import names
from trainables.storage.claims import of_measure
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site
from trainables.trial import Trial

pytestmark = pytest.mark.slow
NOWHERE = Path("/nowhere")


@pytest.fixture(autouse=True)
def own_cluster() -> Iterator[None]:
    yield
    ray.shutdown()


def written(storage: Path) -> dict[Path, int]:
    kept = [path for path in storage.glob("trials/*/*") if path.name != "log.txt"]
    return {path: path.stat().st_mtime_ns for path in kept}


def recorded(storage: Path) -> dict[str, Any]:
    """The trials' runs in MLflow, by trial id."""
    client = MlflowClient(f"sqlite:///{storage}/mlflow.db")
    (experiment,) = (e for e in client.search_experiments() if e.name == "label-studies")
    found = client.search_runs([experiment.experiment_id], "tags.kind = 'trial'")
    return {run.data.tags["trial_id"]: run.data for run in found}


@pytest.mark.usefixtures("measured_grid")
def test_a_study_computes_each_measure_once_and_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = tmp_path / "storage"
    command = ["--grid", "measured_grid", "--storage", str(storage), "--data-dir", str(NOWHERE)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "5/5 measures computed" in said
    assert "no selection rule applies" in " ".join(said.split())
    files = list(storage.glob("trials/*/measure-*.json"))
    assert len(files) == 5
    runs = recorded(storage)
    for path in files:
        stored, data = json.loads(path.read_text()), runs[path.parent.name]
        name = path.stem.removeprefix("measure-")
        assert data.metrics[f"{name}/accuracy"] == stored["values"]["accuracy"]
        assert data.params[f"{name}/measure"] == stored["settings"]["measure"]
    first = next(storage.glob("studies/*/report/table.csv")).read_text()

    ray.shutdown()
    before = written(storage)
    assert main(command) == 0
    assert written(storage) == before
    assert not ray.is_initialized()
    assert next(storage.glob("studies/*/report/table.csv")).read_text() == first

    files[0].unlink()
    assert main([*command, "--dry-run"]) == 0
    assert " of 0/1" in capsys.readouterr().out
    assert main(command) == 0  # that one alone is computed; nothing is trained
    capsys.readouterr()
    changed = {path for path, when in written(storage).items() if before.get(path) != when}
    assert changed == {files[0]}


def test_a_measure_that_fails_is_recorded_and_lost_ones_are_told(
    tmp_path: Path, trial: Trial
) -> None:
    storage = Storage(tmp_path)
    untested = trial.but(data=trial.data.but(test=False), recipe=trial.recipe.but(epochs=1))
    gone = untested.but(seed=1)
    for one in (untested, gone):
        fit(one, storage, Site.here(NOWHERE))
    storage.trial(gone.id).shelf.remove("outputs.pt")
    uses = (Use(TopK), Use(Calibration))
    cluster.connect(None)
    jobs = [Job(untested, uses), Job(gone, uses)]
    lost = measuring.run(jobs, storage, NOWHERE, Resources(gpus=0.0), shared=True)
    for use in uses:  # the second is tried, too
        stored = storage.trial(untested.id).shelf.read_json(names.measure(label(use)))
        assert stored["status"] == "failed"
        assert "test.scores" in stored["reason"]
    assert list(lost) == [gone.id]
    assert "outputs.pt" in lost[gone.id]


def test_a_measure_that_another_command_computes_is_waited_for(
    tmp_path: Path,
    trial: Trial,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    storage = Storage(tmp_path)
    one = trial.but(recipe=trial.recipe.but(epochs=1))
    fit(one, storage, Site.here(NOWHERE))
    theirs, left = Use(TopK), Use(Calibration)
    claim = of_measure(one.id, label(theirs))
    cluster.connect(None)
    with lease(storage, "mine") as mine, lease(storage, "another") as another:
        another.claim(claim)

        def wait(seconds: float) -> None:
            assert storage.trial(one.id).measure(label(left))
            another.release(claim)  # as when it has died

        monkeypatch.setattr(measuring.time, "sleep", wait)
        jobs = [Job(one, (theirs, left))]
        assert measuring.run(jobs, storage, NOWHERE, Resources(gpus=0.0), mine) == {}
        assert mine.holder(claim) == mine.token
    assert storage.trial(one.id).measure(label(theirs))
    said = capsys.readouterr().out
    assert said == f"trial {one.id} is measured by {another.told}: waiting\n"
