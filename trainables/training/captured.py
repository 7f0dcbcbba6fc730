"""Captured training: a step's passes are recorded once an epoch, and repeated in its other steps.

A small net on a GPU waits for the launch of its kernels; a recording launches all of them at once.
It has the forward and the backward pass. The optimizer's step is a few launches and has the rate as
an argument, and what parts observe may branch: both are made as ever. So the kernels are the same.

Whatever Python decides is decided when the passes are recorded, and holds for the whole epoch.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.methods.method import Method
from trainables.seeding import chance, set_chance
from trainables.stepping import Stepping
from trainables.task import Out
from trainables.training.recordable import Watch
from trainables.training.site import Site
from trainables.trial import Trial

WARM_UP = 3  # steps before the first recording, in which libraries choose their kernels
AGREE = 0.01  # of a gradient's length: so far may repeated passes be from ordinary ones

Said = tuple[Tensor, Out]  # a batch's loss, a scalar, and what the model has said; no gradient
Passes = Callable[[], Said]


class Recorder(Protocol):
    """Records passes, each time anew."""

    def aside(self) -> AbstractContextManager[object]:
        """Where ordinary passes are to be made, so that nothing of theirs disturbs a recording."""

    def record(self, passes: Passes) -> tuple[Said, Callable[[], object]]:
        """What the passes gave when they were recorded, and a call that brings it up to date.

        Raises RuntimeError for passes that cannot be recorded.
        """


def uncaptured(trial: Trial) -> str:
    """What of the trial has steps that cannot be repeated, in words; empty where all of it can."""
    for use in trial.uses():
        if issubclass(use.part, Stepping) and not use.part.captures(**dict(use.items)):
            return f"{use!r} cannot be captured"
    return ""


class Graphs:
    """Passes as CUDA graphs, all on one stream of their own."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    @contextmanager
    def aside(self) -> Iterator[None]:
        """On the stream: else a gradient would be added up on another one than is recorded."""
        usual = torch.cuda.current_stream()
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            yield
        usual.wait_stream(self._stream)

    def record(self, passes: Passes) -> tuple[Said, Callable[[], object]]:
        graph = torch.cuda.CUDAGraph()
        # Other threads pin memory for the next batch meanwhile.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            said = passes()
        return said, graph.replay


def captured(trial: Trial, method: Method, batch_size: int, site: Site) -> "Captured":
    """The trial's steps on batches of that size, by recordings where the site and all parts do."""
    recorder = Graphs() if site.captures and not uncaptured(trial) else None
    return Captured(method, batch_size, site.device, recorder, WARM_UP)


class Captured:
    """A run's steps: those on whole batches by recordings, where that is possible; else as ever.

    The first recording is held against the ordinary passes of the same step. Where their gradients
    differ, no step is repeated.
    """

    def __init__(
        self,
        method: Method,
        batch_size: int,
        device: torch.device,
        recorder: Recorder | None,  # None: no step is repeated
        warm_up: int,  # ordinary steps before the first recording, at least one
    ) -> None:
        self._method, self._size, self._device = method, batch_size, device
        self._recorder, self._warm_up = recorder, warm_up  # how many steps are left of it
        self._recorded: Recorded | None = None
        self.repeats = False  # whether the first comparison has shown that it may

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        """As `Method.update`."""
        recorder = self._recorder
        if recorder is None or len(batch.y) != self._size:
            self.rest()
            return self._method.update(batch, lr)
        if self._warm_up:
            self._warm_up -= 1
            said = self._watched(recorder, batch)
        elif not self.repeats:
            said = self._compared(recorder, batch)
        elif self._recorded or self._start(recorder, batch):
            assert self._recorded
            said = self._recorded.again(batch)
        else:
            return self._method.update(batch, lr)
        loss, out = said
        self._method.follow(lr)
        return self._method.observed(batch, out, loss)

    def rest(self) -> None:
        """Gives back the memory of a recording. To be called when an epoch's steps are over."""
        if self._recorded and self._device.type == "cuda":
            torch.cuda.synchronize()  # its last repeat may be under way
        self._recorded = None

    def _watched(self, recorder: Recorder, batch: Batch) -> Said:
        """Ordinary passes; the last of the warm-up show whether a recording can have such."""
        with recorder.aside(), Watch() as watch:
            said = _passes(self._method, batch)
        if watch.found and not self._warm_up:
            self._stop(watch.found)
        return said

    def _compared(self, recorder: Recorder, batch: Batch) -> Said:
        """Ordinary passes; and besides they are repeated from a recording of other images."""
        start = chance(self._device)
        with recorder.aside():
            said = _passes(self._method, batch)
        own = _gradients(self._method)
        if self._start(recorder, _each(batch, lambda tensor: tensor.roll(1, 0))):
            assert self._recorded
            with self._undone():
                set_chance(start, self._device)
                self._recorded.again(batch)
            apart = _apart(_gradients(self._method), own)
            if not apart <= AGREE:
                self._stop(f"its gradients would be {apart:.3g} of their length from others")
            self.repeats = apart <= AGREE
        _give(own)
        return said

    def _start(self, recorder: Recorder, batch: Batch) -> bool:
        """Whether passes could be recorded."""
        try:
            with self._undone():
                self._recorded = Recorded(self._method, recorder, batch)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._stop(f"{type(error).__name__}: {error}".splitlines()[0])
        return self._recorded is not None

    def _stop(self, why: str) -> None:
        print(f"steps are not captured: {why}", flush=True)
        self._recorder = self._recorded = None

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """What runs inside leaves statistics and chance as they were."""
        buffers, state = list(self._method.buffers()), chance(self._device)
        before = [buffer.clone() for buffer in buffers]
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, old in zip(buffers, before, strict=True):
                    buffer.copy_(old)
            set_chance(state, self._device)


class Recorded:
    """Passes on a batch of tensors that stay where they are."""

    def __init__(self, method: Method, recorder: Recorder, batch: Batch) -> None:
        self._held = _each(batch, Tensor.clone)
        self._said, self._repeat = recorder.record(partial(_passes, method, self._held))
        self._gradients = _gradients(method)

    @torch.no_grad()
    def again(self, batch: Batch) -> Said:
        """The same passes on this batch. What is given is overwritten by the next call."""
        held = self._held
        for old, new in ((held.x, batch.x), (held.y, batch.y), (held.index, batch.index)):
            old.copy_(new)
        self._repeat()
        _give(self._gradients)
        return self._said


def _passes(method: Method, batch: Batch) -> Said:
    """Both of an ordinary step; each weight has its gradient then."""
    method.optimizer.zero_grad()
    out = method.model(batch.x)
    loss = method.model.objective(batch, out).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), out.detach()


Gradients = list[tuple[Tensor, Tensor | None]]  # of each weight


def _gradients(method: Method) -> Gradients:
    return [(weight, weight.grad) for weight in method.parameters()]


def _give(gradients: Gradients) -> None:
    for weight, gradient in gradients:
        weight.grad = gradient


def _apart(some: Gradients, others: Gradients) -> float:
    """The length of the difference, over that of the others."""
    pairs = [(one, other) for (_, one), (_, other) in zip(some, others, strict=True)]
    if any((one is None) != (other is None) for one, other in pairs):
        return math.inf
    both = [(a.double(), b.double()) for a, b in pairs if a is not None and b is not None]
    apart = torch.stack([(a - b).square().sum() for a, b in both]).sum()
    length = torch.stack([b.square().sum() for _, b in both]).sum()
    return float((apart / length).sqrt()) if apart else 0.0


def _each(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The same with images, labels and places changed so."""
    x, y, index = map(change, (batch.x, batch.y, batch.index))
    return replace(batch, x=x, y=y, index=index)
