"""Whether the passes of a step may be recorded, as `trainables.training.captured` does on a GPU."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from trainables.contract.begun import Start
from trainables.contract.bits import different
from trainables.settings import Invalid
from trainables.training.captured import Batches, Captured, uncaptured, uncaptured_together
from trainables.training.recorder import Every, Passes
from trainables.training.run import Run
from trainables.trial import Trial

FIELDS = ("head", "targets", "loss", "method")


def check_repeated(start: Start) -> None:
    """Raises Invalid where steps that are repeated from a recording end otherwise than ordinary.

    The first step is watched, the second one compared, all others on whole batches are repeated.
    Raises Invalid as well where steps use chance and none of their parts says so.
    """
    plain, repeated = start(), start()
    trial = plain.trial
    if uncaptured(trial):
        return
    steps = _Seen(repeated.method, trial.recipe.batch_size, repeated.site.device, Reruns(), 1)
    repeated.captured = steps
    for epoch in range(trial.recipe.epochs):
        found = [_epoch(run) for run in (plain, repeated)]
        if changed := different(*found):
            valid = "within an epoch its forward may depend on tensors alone that change in place"
            what = f"where steps are repeated, epoch {epoch + 1} ends with other {changed[0]}"
            raise Invalid(f"{_suspected(trial)}: {valid}, or its captures must say no; {what}")
    fuses = trial.net.part.fuses(**dict(trial.net.items))
    if steps.drawn and fuses and not uncaptured_together(trial):
        valid = "its draws must be True, since it uses chance in a step"
        raise Invalid(f"{_suspected(trial)}: {valid} ({steps.drawn})")


def _suspected(trial: Trial) -> str:
    """Its parts that are no defaults, of which one must be at fault; else its net."""
    fields = [name for name in FIELDS if getattr(trial, name) != getattr(Trial, name)]
    return ", ".join(getattr(trial, name).name for name in fields or ["net"])


def _epoch(run: Run) -> dict[str, Any]:
    """What an epoch's steps come to."""
    run.take_steps()
    found = {"metrics": dict(run.totals), "state": run.method.state_dict()}
    run.method.end_epoch()
    return found


class _Seen(Captured):
    """`drawn` is an operation that used chance in ordinary passes, or empty."""

    drawn = ""

    def ordinary(self, batches: Batches) -> Every:
        with _Chance() as chance:
            said = super().ordinary(batches)
        self.drawn = self.drawn or chance.used
        return said


class _Chance(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.used = ""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.used = str(func)
        return func(*args, **(kwargs or {}))


class Reruns:
    """Recordings on any device: each operation is made again, in the memory of before."""

    def aside(self) -> AbstractContextManager[object]:
        return nullcontext()

    def record(self, passes: Passes) -> tuple[Every, Callable[[], object]]:
        with _Tape() as tape:
            said = passes()
        return said, tape.again


class _Tape(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._made: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        taken = _as_now((args, kwargs or {}))
        given = func(*args, **(kwargs or {}))
        if torch.Tag.inplace_view not in func.tags:  # which changes a shape, and no memory
            self._made.append((func, *taken, _tensors(_as_now(given))))
        return given

    @torch.no_grad()
    def again(self) -> None:
        for func, args, kwargs, before in self._made:
            for old, new in zip(before, _tensors(func(*args, **kwargs)), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def _as_now(nest: Any) -> Any:
    """The same memory, in shapes that nobody changes later."""
    return tree_map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, nest)


def _tensors(given: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(given) if isinstance(leaf, Tensor)]
