"""A CPU in the place of a GPU that repeats steps: their recordings are those of the contract."""

from collections.abc import Callable

import pytest
import torch

from tests.trainables.small import NOWHERE
from trainables.contract.repeated import Reruns
from trainables.training import captured, recorder
from trainables.training.recorder import Every, Passes
from trainables.training.site import Site


class LikeGPU(Site):
    """A CPU on which steps are repeated."""

    captures = True  # type: ignore[assignment]


HERE = LikeGPU(NOWHERE, torch.device("cpu"))


def recordings_made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images in the batches of each recording; runs at HERE make them from the second step on."""
    made: list[int] = []

    class Counted(Reruns):
        def record(self, passes: Passes) -> tuple[Every, Callable[[], object]]:
            said, repeat = super().record(passes)
            made.append(sum(len(one[1].scores) for one in said))
            return said, repeat

    monkeypatch.setattr(recorder, "Graphs", Counted)
    monkeypatch.setattr(captured, "WARM_UP", 1)
    return made
