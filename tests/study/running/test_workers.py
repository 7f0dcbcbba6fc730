"""Several workers of a trial, under the real Ray: each once, and one that dies costs an epoch."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import ray
import torch

from study.request import Resources
from study.running import cluster, launch
from study.running.sources import Queue
from tests.study.command import running
from tests.study.troubles import Lingering
from tests.trainables.small import CPU, NOWHERE, small_trial
from trainables.data.data import Batch
from trainables.losses.cross_entropy import CrossEntropy
from trainables.selection import CLOCK, Epoch
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.task import Out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

EPOCHS = 4
TRIAL = small_trial(net=Use(Lingering), **{"recipe.epochs": EPOCHS})
TRIALS = {trial.id: trial for trial in (TRIAL, TRIAL.but(seed=1))}


class Stumbling(CrossEntropy):
    """Fails for one image, which one of two workers alone sees."""

    def forward(self, out: Out, target: torch.Tensor, batch: Batch) -> torch.Tensor:
        if (batch.index == 3).any():
            raise ZeroDivisionError("the fourth image")
        return super().forward(out, target, batch)


@pytest.fixture(scope="module")
def two() -> Iterator[Resources]:
    """What a trial of two workers gets of a cluster that has room for one such trial."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield cluster.fitted(Resources(workers=2))
    ray.shutdown()


def run(storage: Storage, resources: Resources) -> dict[str, str]:
    return launch.run([Queue(TRIALS, storage)], storage, NOWHERE, resources)


def metrics(history: list[Epoch]) -> list[Epoch]:
    return [{k: v for k, v in epoch.items() if k not in CLOCK} for epoch in history]


def test_a_worker_that_dies_costs_its_trial_an_epoch(tmp_path: Path, two: Resources) -> None:
    storage, undisturbed = Storage(tmp_path / "storage"), Storage(tmp_path / "undisturbed")
    (tmp_path / "storage").mkdir()
    (tmp_path / "undisturbed").mkdir()
    killed: list[str] = []

    def kill() -> None:
        """The other worker of the first trial, in its third epoch."""
        while len(storage.trial(TRIAL.id).history()) < 2:
            time.sleep(0.05)
        (worker,) = running("RayTrainWorker")
        worker.send_signal(signal.SIGKILL)
        killed.append(TRIAL.id)

    thread = Thread(target=kill, daemon=True)
    thread.start()
    assert run(storage, two) == {}
    assert run(undisturbed, two) == {}
    assert killed == [TRIAL.id]
    for trial_id in TRIALS:
        files, other = storage.trial(trial_id), undisturbed.trial(trial_id)
        result, expected = files.result(), other.result()
        assert result
        assert expected
        assert result.site["workers"] == expected.site["workers"] == 2
        assert result.site["cpus"] == 2.0
        assert metrics(result.history) == metrics(expected.history)
        weights, same = files.model(CPU), other.model(CPU)
        assert all(torch.equal(weights[name], same[name]) for name in same)
    lines = storage.trial(TRIAL.id).log_lines()
    begun = [line.split(",")[0] for line in lines if line.startswith("epoch ")]
    assert len(begun) <= EPOCHS + 1
    assert sum(line.startswith("resumed from") for line in lines) == 1


def test_an_error_on_another_worker_is_the_trial_s(tmp_path: Path, two: Resources) -> None:
    storage, trial = Storage(tmp_path), small_trial(loss=Use(Stumbling))
    queue = Queue({trial.id: trial}, storage)
    assert launch.run([queue], storage, NOWHERE, two) == {}
    result = storage.trial(trial.id).result()
    assert result
    assert result.reason == "ZeroDivisionError: the fourth image"
    assert any("raise ZeroDivisionError" in line for line in storage.trial(trial.id).log_lines())
