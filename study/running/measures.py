"""Measuring: measures of finished trials on Ray, a task a trial; nothing is trained."""

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import ray
import torch
from ray.exceptions import RayError

from study.measures import Job, Wanted, failed, lacking
from study.progress import ProgressLines
from study.request import Resources
from study.running.launch import WORKER_LOSSES
from trainables.measures.measure import Finished, compute, label
from trainables.storage.claims import LOOK_SECONDS, Command, of_measure
from trainables.storage.storage import Storage
from trainables.training.site import Site
from trainables.worker import node


def run(
    jobs: Sequence[Job],
    storage: Storage,
    folder: Path,
    resources: Resources,
    command: Command | None = None,
) -> dict[str, str]:
    """Computes the measures. Returns why, by trial id, for the jobs that were lost.

    Each is claimed for the `command`; what another one computes is waited for. Ray must be
    connected.
    """
    task = ray.remote(_measure).options(
        num_cpus=resources.cpus, num_gpus=resources.gpus or 0, max_retries=WORKER_LOSSES
    )
    threads, driver = max(1, int(resources.cpus)), node.Driver.of(storage)
    waiting, lost = deque(jobs), {}
    running: dict[Any, Job] = {}
    elsewhere: list[Job] = []
    named: set[str] = set()
    while waiting or running or elsewhere:
        while waiting and len(running) < (resources.concurrent or len(jobs)):
            job = waiting.popleft()
            running[task.remote(job, storage, folder, threads, driver, command)] = job
        if not running:  # all that is left is under way elsewhere: a task finds out how far it is
            time.sleep(LOOK_SECONDS)
            waiting.extend(elsewhere)
            elsewhere = []
            continue
        (ended,), _ = ray.wait(list(running))
        job = running.pop(ended)
        try:
            if other := ray.get(ended):
                elsewhere.append(job)
                if other not in named:
                    print(f"trial {job.trial.id} is measured by {other}: waiting", flush=True)
                    named.add(other)
        except RayError as error:  # the storage failed, or too many workers were lost
            lost[job.trial.id] = str(error).strip().splitlines()[-1]
            if command:
                for use in job.measures:
                    command.release(of_measure(job.trial.id, label(use)))
    return lost


def _measure(
    job: Job,
    storage: Storage,
    folder: Path,
    threads: int,
    driver: node.Driver,
    command: Command | None,
) -> str:
    """Computes each measure that is not there yet, and stores it at once.

    Returns the line of a command that computes one of them; empty if none does. Raises Invalid
    where the node differs from the `driver`, or lacks files of the trial.
    """
    torch.set_num_threads(threads)
    node.prepare(job.trial, folder, storage, driver)
    files = storage.trial(job.trial.id)
    finished = Finished(job.trial, files, Site.here(folder, threads))
    elsewhere = ""
    for use in job.measures:
        if files.measure(label(use)) is not None:
            continue
        if command and (other := command.claim(of_measure(job.trial.id, label(use)))):
            elsewhere = other
        elif files.measure(label(use)) is None:  # its command may have ended just now
            files.write_measure(label(use), compute(use, finished))
    return elsewhere


class MeasureProgress(ProgressLines):
    """How many of the measures are computed."""

    def __init__(self, pairs: Sequence[Wanted], storage: Storage, out: TextIO) -> None:
        super().__init__(out)
        self._pairs, self._storage = pairs, storage

    def line(self) -> str:
        left = len(lacking(self._pairs, self._storage))
        wrong = len(failed(self._pairs, self._storage))
        parts = [f"{len(self._pairs) - left}/{len(self._pairs)} measures computed"]
        parts += [f"{wrong} failed"] if wrong else []
        return f"[{self.clock()}] {', '.join(parts)}"
