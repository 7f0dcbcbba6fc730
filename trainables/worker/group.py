"""Group: the other workers of a trial, beside the actor that Tune has started for it.

They are Ray Train's group of workers, in the places that Tune holds for the trial. Its trainer
would take places of its own, of which Tune and the feed knew nothing: docs/LOG.md.
"""

import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import ray
import torch
from ray.exceptions import RayError, RayTaskError
from ray.train._internal.utils import get_address_and_port
from ray.train._internal.worker_group import WorkerGroup
from ray.util.placement_group import get_current_placement_group

from trainables.data.cache import OFF, Cache
from trainables.storage.storage import Storage
from trainables.storage.unwritten import unwritten
from trainables.training.fit import Told, fail, fit
from trainables.training.site import Site
from trainables.training.workers import joined
from trainables.trial import Trial
from trainables.worker import node

SETTLE_SECONDS = 10.0  # from the end of one worker to the end of those that it takes along


class Lost(Exception):
    """A worker of the trial has died: the trial is to be tried again."""


class Failed(Exception):
    """The trial has failed on another worker, for this reason."""


@dataclass(frozen=True)
class Places:
    """What a trial is given: so many workers, each with these CPUs and GPUs."""

    cpus: float = 1.0
    gpus: float = 0.0
    workers: int = 1
    sync_batch_norm: bool = False
    cache: Cache = OFF  # of decoded images, on whichever machine
    capture: bool = True  # whether a GPU repeats steps from a recording, where it can

    @property
    def bundles(self) -> list[dict[str, float]]:
        """What Ray places for each worker."""
        one = {"CPU": self.cpus, "GPU": self.gpus} if self.gpus else {"CPU": self.cpus}
        return [one] * self.workers

    def site(self, folder: Path) -> Site:
        """Of a worker that is still alone. On this machine's GPU only if it is the worker's own."""
        threads = max(1, int(self.cpus))
        site = Site.here(folder, threads, self.cpus, self.gpus, self.cache, self.capture)
        shared = self.workers > 1 and not self.gpus
        return replace(site, device=torch.device("cpu")) if shared else site


@contextmanager
def group(
    trial: Trial,
    storage: Storage,
    folder: Path,
    places: Places,
    driver: node.Driver,
    retry: bool = False,
) -> Iterator[tuple[Site, Told]]:
    """The site of this worker, the first one, while the others train the trial beside it.

    And whom `fit` is to tell an error: it raises Lost or Failed for one that is another worker's.
    Raises what `node.prepare` does, for another worker's node.
    """
    if places.workers == 1:
        yield places.site(folder), traceback.print_exception
        return
    place = get_current_placement_group() or "default"
    others = WorkerGroup(places.workers - 1, places.bundles[0], placement_group=place)
    try:
        _finished(others.execute_async(node.prepare, trial, folder, storage, driver, places.cache))
        host, port = get_address_and_port()
        where, rest = f"tcp://{host}:{port}", (storage, folder, retry)
        ends = [
            others.execute_single_async(rank - 1, _train, trial, places, rank, where, *rest)
            for rank in range(1, places.workers)
        ]
        with _Watch(ends, lambda reason: fail(trial, storage, reason, retry)) as watch:
            with _joined(places, folder, 0, where) as site:
                yield site, watch.told
    finally:
        others.shutdown(patience_s=0)


@contextmanager
def _joined(places: Places, folder: Path, rank: int, where: str) -> Iterator[Site]:
    site = places.site(folder)
    meeting = rank, places.workers, site.device.type, places.sync_batch_norm
    with joined(where, *meeting) as workers:
        yield replace(site, workers=workers)


def _train(
    trial: Trial,
    places: Places,
    rank: int,
    where: str,
    storage: Storage,
    folder: Path,
    retry: bool,
) -> tuple[str, str]:
    """What another worker does. Returns why the trial failed there, and a traceback; or neither."""
    said: list[str] = []

    def told(error: Exception) -> None:
        said.extend(traceback.format_exception(error))

    with _joined(places, folder, rank, where) as site:
        reason = fit(trial, unwritten(storage), site, retry=retry, told=told).reason
    return reason or "", "".join(said)


def _finished(tasks: Sequence[Any]) -> None:
    """Raises what the first failing task raised."""
    try:
        ray.get(tasks)
    except RayTaskError as error:
        raise error.cause from None


class _Watch:
    """Sees how the other workers end: a thread of the first one's process.

    Where one has died or failed, this worker's next collective call fails, or never ends: on CPUs
    if the other process still lives, on GPUs always. Then this process is ended, so that Tune tries
    the trial again, and finds the reason if there is one.
    """

    def __init__(self, ends: Sequence[Any], fail: Callable[[str], object]) -> None:
        self._left, self._fail = list(ends), fail
        self._lost = self._reason = self._traceback = ""  # of the first that died, that failed
        self._settled, self._done = threading.Event(), threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._look, name="workers", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def told(self, error: Exception) -> None:
        """Prints this worker's own error, or one of all. Raises Lost or Failed for another's."""
        self._settled.wait(2 * SETTLE_SECONDS)
        if self._lost:
            raise Lost(self._lost) from None
        own = f"{type(error).__name__}: {error}".splitlines()[0]
        if self._reason and self._reason != own:
            print(self._traceback, flush=True)
            raise Failed(self._reason) from None
        traceback.print_exception(error)

    def _look(self) -> None:
        while self._left and not (self._done.is_set() or self._wrong):
            self._note()
        until = time.monotonic() + SETTLE_SECONDS  # where one has failed, since another died
        while self._left and self._wrong and not self._lost and time.monotonic() < until:
            self._note()
        self._settled.set()
        if self._wrong and not self._done.wait(SETTLE_SECONDS):
            if not self._lost:
                print(self._traceback, flush=True)
                self._fail(self._reason)
            os._exit(1)

    @property
    def _wrong(self) -> bool:
        return bool(self._lost or self._reason)

    def _note(self) -> None:
        """Waits for the next one to end, a second at most."""
        ended, self._left = ray.wait(self._left, timeout=1.0)
        for end in ended:
            try:
                reason, said = ray.get(end)
                if reason and not self._reason:
                    self._reason, self._traceback = reason, said
            except RayError as error:
                self._lost = self._lost or str(error).strip().splitlines()[-1]
