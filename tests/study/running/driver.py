"""A driver of slow trials: `driver.py ADDRESS STORAGE TRIALS SECONDS PRIORITY`."""

import sys
from pathlib import Path

import ray

from study.request import Resources
from study.running import cluster, launch
from study.running.sources import Queue
from study.stopping import leave, stoppable
from tests.study.troubles import Slow
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.recipe import Recipe
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.trial import Trial

NOWHERE = Path("/nowhere")


def slow(seconds: int, seed: int) -> Trial:
    """A trial of so many seconds, and one short epoch."""
    formats = {"precision": "float32", "memory_format": "contiguous"}
    recipe = Recipe(epochs=1, batch_size=16, schedule="constant", **formats)
    data = DataSpec(source=Use(Digits), train_per_class=4)
    trial = Trial(data=data, net=Use(Slow, seconds=seconds), recipe=recipe, seed=seed)
    return trial.resolved(NOWHERE, {})


def drive(address: str, folder: Path, trials: int, seconds: int, priority: float) -> None:
    """Trains slow trials as a command does, and says when one begins."""

    def begun(trial_id: str) -> None:
        print(f"{trial_id} begun", flush=True)

    cluster.connect(address)
    storage = Storage(folder)
    queue = Queue({t.id: t for t in (slow(seconds, seed) for seed in range(trials))}, storage)
    resources = cluster.fitted(Resources(priority=priority))
    assert launch.run([queue], storage, NOWHERE, resources, begun, shared=True) == {}


if __name__ == "__main__":
    address, folder, trials, seconds, priority = sys.argv[1:]
    with stoppable() as stop:
        try:
            drive(address, Path(folder), int(trials), int(seconds), float(priority))
        except KeyboardInterrupt:
            ray.shutdown()
            leave(stop.exit_code)
