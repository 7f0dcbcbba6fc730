"""Captured training: a step's passes are recorded once an epoch, and repeated in its other steps.

A small net on a GPU waits for the launch of its kernels; a recording launches all of them at once.
It has the forward and the backward pass. The optimizer's step is a few launches and has the rate as
an argument, and what parts observe may branch: both are made as ever. So the kernels are the same.

Whatever Python decides is decided when the passes are recorded, and holds for the whole epoch.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.methods.method import Method
from trainables.seeding import chance, set_chance
from trainables.stepping import Stepping
from trainables.training.recordable import Watch
from trainables.training.recorder import Every, Recorder
from trainables.trial import Trial

WARM_UP = 3  # steps before the first recording, in which libraries choose their kernels
AGREE = 0.01  # of a gradient's length: so far may repeated passes be from ordinary ones

Batches = Sequence[Batch]  # one of each model that steps
Gradients = list[list[Tensor | None]]  # of each model
Held = list[tuple[Tensor, Tensor | None]]  # each weight, and its gradient


def uncaptured(trial: Trial) -> str:
    """What of the trial has steps that cannot be repeated, in words; empty where all of it can."""
    for use in trial.uses():
        if issubclass(use.part, Stepping) and not use.part.captures(**dict(use.items)):
            return f"{use!r} cannot be captured"
    return ""


def uncaptured_together(trial: Trial) -> str:
    """The same of a step of several trials: a device has one chance, and each of them its own."""
    parts = (use for use in trial.uses() if issubclass(use.part, Stepping) and use.part.draws)
    return uncaptured(trial) or next((f"{use!r} uses chance" for use in parts), "")


class Repeating(ABC):
    """Both passes of steps: on whole batches repeated, where that is possible; else as ever.

    The first recording is held against the ordinary passes of the same step. Where their gradients
    differ, no step is repeated.
    """

    def __init__(
        self,
        what: nn.Module,  # has the weights that get gradients, and the statistics
        batch_size: int,
        device: torch.device,
        recorder: Recorder | None,  # None: no step is repeated
        warm_up: int | None = None,  # ordinary steps before the first recording; None: WARM_UP
        draws: bool = True,  # whether a step may use chance: a repeat goes on with the device's
    ) -> None:
        self._draws = draws
        self._what, self._size, self._device = what, batch_size, device
        self._recorder = recorder
        self._left = WARM_UP if warm_up is None else warm_up  # steps of the warm-up
        self._recorded: Recorded | None = None
        self.repeats = False  # whether the first comparison has shown that it may

    @abstractmethod
    def ordinary(self, batches: Batches) -> Every:
        """The passes as they are made anew in each step; each weight has its gradient then."""

    @abstractmethod
    def recordable(self, batches: Batches) -> Every:
        """The same where they are recorded: nobody's code may fail there alone, or set chance."""

    @abstractmethod
    def gradients(self) -> Gradients:
        """Those that each model has now."""

    def passes(self, batches: Batches) -> Every:
        """As `ordinary`. What is given is overwritten by the next call."""
        recorder = self._recorder
        if recorder is None or any(len(batch.y) != self._size for batch in batches):
            self.rest()
            return self.ordinary(batches)
        if self._left:
            self._left -= 1
            return self._watched(recorder, batches)
        if not self.repeats:
            return self._compared(recorder, batches)
        if self._recorded or self._start(recorder, batches):
            assert self._recorded
            return self._recorded.again(batches)
        return self.ordinary(batches)

    def rest(self) -> None:
        """Gives back the memory of a recording. To be called when an epoch's steps are over."""
        if self._recorded and self._device.type == "cuda":
            torch.cuda.synchronize()  # its last repeat may be under way
        self._recorded = None

    def _watched(self, recorder: Recorder, batches: Batches) -> Every:
        """Ordinary passes; the last of the warm-up show whether a recording can have such."""
        with recorder.aside(), Watch(self._draws) as watch:
            said = self.ordinary(batches)
        if watch.found and not self._left:
            self._stop(watch.found)
        return said

    def _compared(self, recorder: Recorder, batches: Batches) -> Every:
        """Ordinary passes; and besides they are repeated from a recording of other images."""
        start = chance(self._device)
        with recorder.aside():
            said = self.ordinary(batches)
        own, kept = self.gradients(), _held(self._what)
        others = [_each(batch, lambda tensor: tensor.roll(1, 0)) for batch in batches]
        if all(said) and self._start(recorder, others):
            assert self._recorded
            with self._undone():
                set_chance(start, self._device)
                self._recorded.again(batches)
            apart = max(map(_apart, self.gradients(), own))
            if apart > AGREE:
                self._stop(f"its gradients would be {apart:.3g} of their length from others")
            self.repeats = apart <= AGREE
        _give(kept)
        return said

    def _start(self, recorder: Recorder, batches: Batches) -> bool:
        """Whether passes could be recorded."""
        held = [_each(batch, Tensor.clone) for batch in batches]
        try:
            with self._undone(), Watch(self._draws) as watch:
                said, repeat = recorder.record(partial(self.recordable, held))
        except (torch.OutOfMemoryError, OSError):
            raise
        except Exception as error:  # of CUDA, or a part's own: ordinary passes would show that, too
            self._stop(f"{type(error).__name__}: {error}".splitlines()[0])
            return False
        if watch.found:
            self._stop(watch.found)
            return False
        self._recorded = Recorded(held, said, repeat, _held(self._what))
        return True

    def _stop(self, why: str) -> None:
        print(f"steps are not captured: {why}", flush=True)
        self._recorder = self._recorded = None

    @contextmanager
    def _undone(self) -> Iterator[None]:
        """What runs inside leaves statistics and chance as they were."""
        buffers, state = list(self._what.buffers()), chance(self._device)
        before = [buffer.clone() for buffer in buffers]
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, old in zip(buffers, before, strict=True):
                    buffer.copy_(old)
            set_chance(state, self._device)


class Captured(Repeating):
    """One trial's steps."""

    def __init__(
        self,
        method: Method,
        batch_size: int,
        device: torch.device,
        recorder: Recorder | None,
        warm_up: int | None = None,
    ) -> None:
        super().__init__(method, batch_size, device, recorder, warm_up)
        self._method = method

    def ordinary(self, batches: Batches) -> Every:
        (batch,), method = batches, self._method
        method.optimizer.zero_grad()
        out = method.model(batch.x)
        loss = method.model.objective(batch, out).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return [(loss.detach(), out.detach())]

    recordable = ordinary

    def gradients(self) -> Gradients:
        return [[weight.grad for weight in self._method.parameters()]]

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        """As `Method.update`."""
        if self._recorder is None:
            return self._method.update(batch, lr)
        (said,) = self.passes([batch])
        assert said, "the code of a part that fails ends the trial"
        loss, out = said
        self._method.follow(lr)
        return self._method.observed(batch, out, loss)


@dataclass(frozen=True)
class Recorded:
    """Passes on batches of tensors that stay where they are."""

    held: Batches
    said: Every
    repeat: Callable[[], object]
    gradients: Held

    @torch.no_grad()
    def again(self, batches: Batches) -> Every:
        """The same passes on these batches. What is given is overwritten by the next call."""
        for held, batch in zip(self.held, batches, strict=True):
            for old, new in ((held.x, batch.x), (held.y, batch.y), (held.index, batch.index)):
                old.copy_(new)
        self.repeat()
        _give(self.gradients)
        return self.said


def _held(what: nn.Module) -> Held:
    return [(weight, weight.grad) for weight in what.parameters()]


def _give(held: Held) -> None:
    for weight, gradient in held:
        weight.grad = gradient


def _apart(some: Sequence[Tensor | None], others: Sequence[Tensor | None]) -> float:
    """The length of the difference, over that of the others; 0 where these are not finite.

    Such a trial ends with its epoch.
    """
    if any((one is None) != (other is None) for one, other in zip(some, others, strict=True)):
        return math.inf
    pairs = zip(some, others, strict=True)
    both = [(a.double(), b.double()) for a, b in pairs if a is not None and b is not None]
    apart = torch.stack([(a - b).square().sum() for a, b in both]).sum()
    length = torch.stack([b.square().sum() for _, b in both]).sum()
    if not length.isfinite() or not apart:
        return 0.0
    return float((apart / length).sqrt().nan_to_num(math.inf))


def _each(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The same with images, labels and places changed so."""
    x, y, index = map(change, (batch.x, batch.y, batch.index))
    return replace(batch, x=x, y=y, index=index)
