import gc
import socket
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import RunTag
from pandas.testing import assert_frame_equal
from sqlalchemy.orm import Session

from analysis import records, runs
from study.grids.lay_out import lay_out
from study.tracking.tracker import Tracker
from tests.analysis.worlds import World, record, small_world
from trainables.data.data import load
from trainables.settings import Invalid
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site
from trainables.trial import Trial

METRICS = ["train.accuracy", "validation.accuracy"]


def resolved(trial: Trial) -> tuple[Trial, str]:
    ready = trial.resolved(Path("/nowhere"), {})
    return ready, ready.id


def test_a_plan_is_read_as_it_was_recorded(tracking_uri: str, world: World) -> None:
    assert runs.plan(tracking_uri, "kesl_ablation.demo") == world.plan


def test_an_unknown_study_is_refused_with_the_names_that_exist(tracking_uri: str) -> None:
    with pytest.raises(Invalid, match=r"'kesl_ablation' is unknown: .*kesl_ablation\.demo"):
        runs.plan(tracking_uri, "kesl_ablation")


def test_a_missing_database_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no such database"):
        runs.plan(f"sqlite:///{tmp_path}/mlflow.db", "kesl_ablation.demo")
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_down_is_reported_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(Invalid, match="cannot be read"):
        runs.trials(uri, ["a0"])
    assert time.monotonic() - started < 10


def test_every_trial_is_a_row_with_its_settings_as_they_were(
    tracking_uri: str, world: World
) -> None:
    found = runs.trials(tracking_uri, world.plan.trials())
    expected = world.runs()
    assert_frame_equal(found[list(expected)], expected, check_dtype=False)
    assert found.loc["b0", "targets.hierarchy.sha256"] == "0123456789012345"
    assert found.loc["b0", "targets.temperature"] == 2.0
    assert found.loc["b0", "data.test"] == True  # noqa: E712  # numpy's or Python's


def test_rows_come_in_the_order_of_the_ids_and_only_those_recorded(tracking_uri: str) -> None:
    assert list(runs.trials(tracking_uri, ["c2", "unknown", "a0", "c2"]).index) == ["c2", "a0"]
    assert runs.trials(tracking_uri, ["unknown"]).empty
    assert "status" in runs.trials(tracking_uri, [])


def test_pages_are_joined(tracking_uri: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runs.trials(tracking_uri, world.plan.trials())
    monkeypatch.setattr(records, "PAGE", 2)
    assert_frame_equal(runs.trials(tracking_uri, world.plan.trials()), whole)


def test_garbage_is_collected_again_when_a_page_is_read(tracking_uri: str) -> None:
    assert gc.isenabled()
    runs.trials(tracking_uri, ["a0", "a1"])
    assert gc.isenabled()
    with records._uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_only_sessions_that_read_a_page_keep_what_they_have_read() -> None:
    kept = []
    for page in (True, False):
        with records._unexpired() if page else nullcontext(), Session() as session:
            session.commit()
            kept.append(not session.expire_on_commit)
    assert kept == [True, False]


def test_of_two_runs_with_one_trial_id_the_finished_one_counts(tracking_uri: str) -> None:
    world = small_world("twice.demo", "twice-")
    record(tracking_uri, world)
    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name("label-studies")
    assert found is not None
    tags = {"kind": "trial", "trial_id": "twice-a0", "status": "running"}
    client.create_run(found.experiment_id, tags=tags)
    for ids in (["twice-a0"], ["twice-a0", "twice-a1"]):
        table = runs.trials(tracking_uri, ids)
        assert list(table.index) == ids
        assert table.loc["twice-a0", "status"] == "finished"


def test_histories_have_a_row_for_every_epoch(tracking_uri: str, world: World) -> None:
    found = runs.histories(tracking_uri, world.plan.trials(), [*METRICS, "unknown"])
    expected = world.histories()
    expected = expected[expected["metric"].isin(METRICS)]
    order = ["trial_id", "metric", "epoch"]
    assert_frame_equal(found, expected.sort_values(order, ignore_index=True))


def test_an_epoch_that_was_written_again_counts_once_with_its_newest_value(
    tracking_uri: str,
) -> None:
    record(tracking_uri, small_world("again.demo", "again-"))
    run_id = runs.trials(tracking_uri, ["again-a0"])["run_id"].iloc[0]
    client = MlflowClient(tracking_uri)
    client.log_metric(run_id, "train.accuracy", 0.5, timestamp=1_700_000_001_500, step=1)
    client.log_metric(run_id, "train.accuracy", 0.1, timestamp=1_600_000_000_000, step=2)
    found = runs.histories(tracking_uri, ["again-a0"], ["train.accuracy"])
    assert found["epoch"].tolist() == [1, 2, 3, 4]
    assert found["value"].tolist() == pytest.approx([0.5, 0.78, 0.80, 0.82])


def test_soft_labels_are_read_where_there_are_some(tracking_uri: str, world: World) -> None:
    found = runs.soft_labels(tracking_uri, "b0")
    assert found is not None
    assert_frame_equal(found, world.soft()["b0"])
    assert runs.soft_labels(tracking_uri, "a0") is None
    assert runs.soft_labels(tracking_uri, "unknown") is None


def test_features_are_read_by_the_measure_that_kept_them(tracking_uri: str) -> None:
    client = MlflowClient(tracking_uri)
    run = runs.trials(tracking_uri, ["a0"])["run_id"].iloc[0]
    client.log_text(run, "x,y,label\n1.5,-2.0,nan\n0.0,3.0,7\n", "features-Separation-abc.csv")
    found = runs.features(tracking_uri, "a0", "Separation-abc")
    assert found is not None
    assert found.to_dict("list") == {"x": [1.5, 0.0], "y": [-2.0, 3.0], "label": ["nan", "7"]}
    assert runs.features(tracking_uri, "a0", "Separation-other") is None
    assert runs.features(tracking_uri, "unknown", "Separation-abc") is None


def tracked(folder: Path, override: str) -> tuple[str, list[Trial]]:
    """The tracker of a study of one epoch whose first trial has a result, and its trials."""
    storage, uri = Storage(folder), f"sqlite:///{folder / 'mlflow.db'}"
    short = ("recipe.epochs=1", "recipe.milestones=()", "recipe.schedule=constant")
    plan, laid_out = lay_out("kesl_label_smoothing", "demo", 1, (*short, override), resolved)
    trials = list(laid_out)
    fit(trials[0], storage, Site.here(folder))
    tracker = Tracker(uri, storage, plan)
    tracker.start()
    assert tracker.stop() == []
    return uri, trials


def test_wrong_labels_are_read_of_a_trial_that_was_tracked(tmp_path: Path) -> None:
    uri, (trial, *others) = tracked(tmp_path, "data.corrupt=Symmetric(rate=0.4)")
    found = runs.wrong_labels(uri, trial.id)
    assert found is not None
    assert list(found.columns) == ["split", "row", "clean", "given"]
    assert set(found["split"]) == {"train", "validation"}
    _, labels = trial.data.source.build().load(tmp_path, "train")
    assert found["clean"].tolist() == labels[found["row"].tolist()].tolist()
    assert (found["clean"] != found["given"]).all()
    wrong = (found["split"] == "train").sum()
    train = load(trial.data, trial.seed, tmp_path, torch.device("cpu")).train
    realised = runs.trials(uri, [trial.id])["realised_noise"].iloc[0]
    assert realised == pytest.approx(wrong / len(train))
    assert runs.wrong_labels(uri, others[0].id) is None


def test_class_counts_are_read_of_a_trial_that_was_tracked(tmp_path: Path) -> None:
    uri, (trial, *others) = tracked(tmp_path, "data.imbalance=LongTail(rho=4)")
    found = runs.class_counts(uri, trial.id)
    assert found is not None
    assert found.columns.tolist() == ["class", "images", "given"]
    assert found["class"].tolist()[:2] == ["zero", "one"]
    assert found["images"].tolist() == found["given"].tolist()
    assert (found["images"].iloc[0], found["images"].iloc[-1]) == (15, 3)
    assert runs.class_counts(uri, others[0].id) is None
    assert "last/test.accuracy_smaller" in runs.trials(uri, [trial.id])


def test_a_trial_that_no_rule_gave_wrong_labels_has_none(tracking_uri: str) -> None:
    assert runs.wrong_labels(tracking_uri, "a0") is None


def test_a_trial_without_a_status_is_running(tracking_uri: str) -> None:
    client = MlflowClient(tracking_uri)
    found = client.get_experiment_by_name("label-studies")
    assert found is not None
    run = client.create_run(found.experiment_id, tags={"kind": "trial"})
    client.log_batch(run.info.run_id, tags=[RunTag("trial_id", "begun")])
    assert runs.trials(tracking_uri, ["begun"]).loc["begun", "status"] == "running"


def test_the_default_tracker_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert runs.default_tracking_uri() == "http://tracker:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert runs.default_tracking_uri().endswith("/.label-studies/mlflow.db")


def test_a_checksum_of_digits_alone_stays_text() -> None:
    for name in ("targets.hierarchy.sha256", "loss.source"):
        assert runs._value(name, "12345678901e4567") == "12345678901e4567"
