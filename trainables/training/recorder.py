"""Recorders: the passes of a step as a CUDA graph, or as what stands in for one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import Tensor

from trainables.task import Out
from trainables.training.site import Site

Said = tuple[Tensor, Out]  # a batch's loss, a scalar, and what the model has said; no gradient
Every = list[Said | None]  # of each model that steps; None: the code of its parts has failed
Passes = Callable[[], Every]


class Recorder(Protocol):
    """Records passes, each time anew."""

    def aside(self) -> AbstractContextManager[object]:
        """Where ordinary passes are to be made, so that nothing of theirs disturbs a recording."""

    def record(self, passes: Passes) -> tuple[Every, Callable[[], object]]:
        """What the passes gave when they were recorded, and a call that brings it up to date.

        Raises RuntimeError for passes that cannot be recorded.
        """


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

    def record(self, passes: Passes) -> tuple[Every, Callable[[], object]]:
        graph = torch.cuda.CUDAGraph()
        # Other threads pin memory for the next batch meanwhile.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            said = passes()
        return said, graph.replay


def recorder_of(site: Site, why_not: str) -> Recorder | None:
    """None where steps are not to be repeated, by the site or for a reason."""
    return Graphs() if site.captures and not why_not else None
