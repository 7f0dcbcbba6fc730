"""A driver of slow trials: `driver.py ADDRESS STORAGE TRIALS SECONDS PRIORITY`."""

import os
import sys
import threading
import time
from pathlib import Path

from study.request import Resources
from study.running import cluster, launch
from study.running.feed import Queue
from study.stopping import leave, stoppable
from tests.study.troubles import Slow
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.recipe import Recipe
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.trial import Trial

FORMATS = {"precision": "float32", "memory_format": "contiguous"}


def slow(seconds: int, seed: int) -> Trial:
    recipe = Recipe(epochs=1, batch_size=16, schedule="constant", **FORMATS)
    net = Use(Slow, seconds=seconds)
    trial = Trial(data=DataSpec(source=Use(Digits), train_per_class=4), net=net, recipe=recipe, seed=seed)
    return trial.resolved(Path("/nowhere"), {})


def main(address: str, folder: str, trials: str, seconds: str, priority: str) -> None:
    cluster.connect(address)
    resources = cluster.fitted(Resources(priority=float(priority)))
    storage = Storage(Path(folder))
    queue = Queue({t.id: t for t in (slow(int(seconds), seed) for seed in range(int(trials)))}, storage)

    t0 = time.time()
    def begun(i):
        print(f"{time.time()-t0:6.1f} {os.getpid()} begun {i}", flush=True)
    lost = launch.run([queue], storage, Path("/nowhere"), resources, begun, shared=True)
    print(time.time()-t0, "end", lost)


if __name__ == "__main__":
    with stoppable() as stop:
        try:
            main(*sys.argv[1:])
        except KeyboardInterrupt:
            sys.modules["ray"].shutdown()
            leave(stop.exit_code)
