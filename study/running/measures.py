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
from study.running.shares import AHEAD, TELL_SECONDS, Share, sharing
from trainables.data.cache import Cache
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
    shared: bool = False,
) -> dict[str, str]:
    """Computes the measures. Returns why, by trial id, for the jobs that were lost.

    Each is claimed for the `command`; what another one computes is waited for. On a cluster that is
    `shared` with other commands few jobs wait for a place, since those that do are not taken back.
    Each gets what a worker of a trial does. Ray must be connected.
    """
    resources = resources.of_a_worker()
    task = ray.remote(_measure).options(
        num_cpus=resources.cpus, num_gpus=resources.gpus or 0, max_retries=WORKER_LOSSES
    )
    threads, driver = max(1, int(resources.cpus)), node.Driver.of(storage)
    waiting, lost = deque(jobs), {}
    running: dict[Any, Job] = {}
    elsewhere: list[Job] = []
    named: set[str] = set()
    share = Share()

    def demand() -> tuple[int, float]:
        return len(running), len(running) + len(waiting)

    with sharing(share, demand, resources, shared, AHEAD):
        while waiting or running or elsewhere:
            limits = (limit for limit in (resources.concurrent, share.limit) if limit is not None)
            most = min(limits, default=len(jobs))
            while waiting and len(running) < most:
                job = waiting.popleft()
                given = storage, folder, threads, driver, command, resources.cache
                running[task.remote(job, *given)] = job
            if not running:  # all places are others', or all that is left is under way elsewhere
                time.sleep(TELL_SECONDS if waiting else LOOK_SECONDS)
                waiting.extend(elsewhere)  # a task finds out how far it is
                elsewhere = []
                continue
            for ended in ray.wait(list(running), timeout=TELL_SECONDS)[0]:
                job = running.pop(ended)
                try:
                    if other := ray.get(ended):
                        elsewhere.append(job)
                        _tell(job, other, named)
                except RayError as error:  # the storage failed, or too many workers were lost
                    lost[job.trial.id] = str(error).strip().splitlines()[-1]
                    _release(job, command)
    return lost


def _tell(job: Job, other: str, named: set[str]) -> None:
    """Says once of another command that it is waited for."""
    if other not in named:
        print(f"trial {job.trial.id} is measured by {other}: waiting", flush=True)
        named.add(other)


def _release(job: Job, command: Command | None) -> None:
    """Lets others compute what this command did not."""
    if command:
        for use in job.measures:
            command.release(of_measure(job.trial.id, label(use)))


def _measure(
    job: Job,
    storage: Storage,
    folder: Path,
    threads: int,
    driver: node.Driver,
    command: Command | None,
    cache: Cache,
) -> str:
    """Computes each measure that is not there yet, and stores it at once.

    Returns the line of a command that computes one of them; empty if none does. Raises Invalid
    where the node differs from the `driver`, or lacks files of the trial.
    """
    torch.set_num_threads(threads)
    node.prepare(job.trial, folder, storage, driver, cache)
    files = storage.trial(job.trial.id)
    finished = Finished(job.trial, files, Site.here(folder, threads, cache=cache))
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
