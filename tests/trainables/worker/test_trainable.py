"""The trainable under the real Ray Tune: results, logs, and a storage that fails."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray import tune

from tests.trainables.small import NOWHERE, small_trial
from tests.trainables.storage.test_claims import known
from trainables.storage.claims import Command, of_trial
from trainables.storage.storage import Storage
from trainables.worker.group import Places
from trainables.worker.trainable import trainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TRIAL = small_trial()


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    # More than one: a place that was given back is free only a while later.
    ray.init(num_cpus=4, include_dashboard=False)
    yield
    ray.shutdown()


def tuned(storage: Storage, folder: Path, command: Command | None = None) -> tune.Result:
    """What Tune has of the trial at the end."""
    tuner = tune.Tuner(
        trainable(storage, NOWHERE, Places(), command=command),
        param_space={"id": TRIAL.id, "trial": TRIAL},
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    )
    return tuner.fit()[0]


@pytest.mark.usefixtures("cluster")
def test_a_trial_has_its_result_and_its_log_and_tune_each_epoch(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    storage = Storage(tmp_path / "storage")
    told = tuned(storage, tmp_path / "ray")
    files = storage.trial(TRIAL.id)
    result = files.result()
    assert result, told.metrics
    assert result.status == "finished"
    assert told.metrics
    assert told.metrics["epoch"] == 3
    assert told.metrics["validation.accuracy"] == result.history[-1]["validation.accuracy"]
    assert [line.split(",")[0] for line in files.log_lines()] == ["epoch 1", "epoch 2", "epoch 3"]


@pytest.mark.usefixtures("cluster")
def test_what_a_worker_has_imported_is_never_searched_for_garbage_and_all_else_is() -> None:
    @ray.remote
    def settings() -> tuple[bool, int]:
        from trainables.worker import node  # noqa: F401

        return gc.isenabled(), gc.get_freeze_count()

    here = gc.isenabled(), gc.get_freeze_count()
    enabled, frozen = ray.get(settings.remote())
    assert enabled
    assert frozen > 100_000
    assert (gc.isenabled(), gc.get_freeze_count()) == here


@pytest.mark.usefixtures("cluster")
def test_a_storage_that_is_gone_is_told_and_no_exception(tmp_path: Path) -> None:
    told = tuned(Storage(tmp_path / "gone"), tmp_path / "ray")
    assert told.error is None
    assert told.metrics
    assert f"No such file or directory: '{tmp_path}/gone'" in told.metrics["lost"]


@pytest.mark.usefixtures("cluster")
def test_what_another_command_trains_is_told_and_left_alone(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage")
    mine, another = known(storage, "mine"), known(storage, "another")
    another.claim(of_trial(TRIAL.id))
    told = tuned(storage, tmp_path / "ray", mine)
    assert told.metrics
    assert told.metrics["elsewhere"] == [(TRIAL.id, another.told)]
    assert storage.top.names("trials/*") == []
    another.release(of_trial(TRIAL.id))
    tuned(storage, tmp_path / "ray", mine)
    assert storage.trial(TRIAL.id).result()
    assert mine.holder(of_trial(TRIAL.id)) == "mine"
