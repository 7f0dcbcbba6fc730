"""Workers: the processes that train one trial together, each on its part of every batch.

Without Ray: whoever starts them says where they meet (`joined`), and sees when one is lost.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.targets.targets import Targets
from trainables.task import Out
from trainables.training.batch_norm import synchronise
from trainables.trial import Trial

LEAST_ROWS = 2  # of a batch for each worker: of a single image batch norm has no statistics
WAIT = timedelta(days=7)  # for another worker: the first one waits for a scheduler, which may sleep
Some = Callable[[int], slice]  # which of so many batches
BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}  # by the kind of device


class Workers:
    """This process among those that train a trial together; by default it is alone.

    Each has all weights, statistics and data, and its own rows of a batch. Gradients and metrics
    are means over the whole batch, and parts observe all of it, so that all states stay equal.
    Batch norm alone is by worker, with the first one's running statistics, as torch's
    DistributedDataParallel has it; or it is `synchronised`.
    """

    def __init__(self, rank: int = 0, size: int = 1, synchronised: bool = False) -> None:
        self.rank, self.size, self.synchronised = rank, size, synchronised
        # Of the running step: what a sum over this worker's rows counts in the sum over all, and
        # what their mean counts in the mean.
        self.weight = self.share = 1.0

    def rows(self, n: int) -> slice | None:
        """This worker's rows of a batch of n. None: all; they are too few to be split."""
        if self.size == 1 or n < LEAST_ROWS * self.size:
            return None
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    @property
    def apart(self) -> tuple[int, ...]:
        """What tells this worker's chance in the running step from the first one's; empty there."""
        return (self.rank,) if self.rank and self.weight == 1 else ()

    def attach(self, method: Method) -> None:
        """From now on the method's steps are the whole batch's; its weights are the first one's."""
        if self.size == 1:
            return
        if self.synchronised:
            synchronise(method, self)
        for optimizer in method.optimizers().values():
            optimizer.register_step_pre_hook(self._average)
        targets, loss = method.model.targets, method.model.loss
        if type(targets).observe is not Targets.observe or type(loss).observe is not Loss.observe:
            method.whole = self.whole
        self._send([*method.parameters(), *method.buffers()])

    def begin(self, batch: Batch) -> None:
        """Called before each step, with this worker's part."""
        split = batch.images is not None
        self.weight = 1.0 if split else 1 / self.size
        self.share = len(batch.y) / batch.images if batch.images else self.weight

    def mean(self, metrics: dict[str, Tensor]) -> dict[str, Tensor]:
        """Means over the running step's whole batch of means over the own part, scalars by name."""
        if self.size == 1:
            return metrics
        values = torch.stack(list(metrics.values())) * self.share
        dist.all_reduce(values)
        return dict(zip(metrics, values.unbind(), strict=True))

    def whole(self, batch: Batch, out: Out) -> tuple[Batch, Out]:
        """Both of the whole batch, rows in its order; without images and feature maps.

        Those would be most of what is sent, and no part of ours observes them.
        """
        if (n := batch.images) is None:
            return batch, out
        y, index, features, output, scores = (
            self._gathered(own, n)
            for own in (batch.y, batch.index, out.features, out.output, out.scores)
        )
        batch = replace(batch, x=batch.x[:0], y=y, index=index, other=None, images=None)
        return batch, Out(features, output, scores, ())

    def evaluated(
        self, method: Method, n: int, batches: Callable[[Some], Iterable[Batch]]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As `Method.evaluated`, of n images in their order; each worker sees some of the batches.

        All of them, where there is not one for each worker.
        """

        def mine(count: int) -> slice:
            return slice(None) if count < self.size else slice(self.rank, None, self.size)

        found = [(batch.index, *method.evaluated(batch)) for batch in batches(mine)]
        index = torch.cat([index for index, _, _ in found])
        scores = torch.cat([scores for _, scores, _ in found])
        rules = {rule: torch.cat([hits[rule] for _, _, hits in found]) for rule in found[0][2]}
        if len(index) == n:
            return scores, rules
        placed = {rule: self._placed(hits, index, n) for rule, hits in rules.items()}
        return self._placed(scores, index, n), placed

    def _placed(self, own: Tensor, index: Tensor, n: int) -> Tensor:
        """(n, ...) the rows of all workers, each at its place; `index` are the own ones' places."""
        whole = own.new_zeros(n, *own.shape[1:], dtype=torch.promote_types(own.dtype, torch.uint8))
        whole[index] = own.to(whole.dtype)
        dist.all_reduce(whole)
        return whole.to(own.dtype)

    def settle(self, module: nn.Module) -> None:
        """Every worker's buffers become the first one's."""
        if self.size > 1:
            self._send(module.buffers())

    def same(self, number: int) -> bool:
        """Whether all workers have this number; waits until all have come here."""
        if self.size == 1:
            return True
        most = torch.tensor([number, -number])
        dist.all_reduce(most, dist.ReduceOp.MAX)
        return most.tolist() == [number, -number]

    def _average(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Each gradient becomes the whole batch's, in one message: before the optimizer's step."""
        weights = (weight for group in optimizer.param_groups for weight in group["params"])
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients]).mul_(self.share)
        dist.all_reduce(flat)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, mean in zip(gradients, torch.split(flat, sizes), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def _gathered(self, own: Tensor, n: int) -> Tensor:
        """(n, ...) the rows of all workers in the order of their ranks."""
        longest = -(-n // self.size)
        padded = own.new_zeros(longest, *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(parts, padded)
        ends = [n * (rank + 1) // self.size for rank in range(self.size)]
        sizes = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @torch.no_grad()
    def _send(self, tensors: Iterable[Tensor]) -> None:
        """From the first worker to all."""
        for tensor in tensors:
            sent = tensor.contiguous()
            dist.broadcast(sent, 0)
            tensor.copy_(sent)


ALONE = Workers()


def unsplit(trial: Trial, workers: int) -> str:
    """What their number must be, where so many cannot train the trial; empty where they can."""
    if workers == 1:
        return ""
    for use in (trial.targets, trial.loss, trial.method):
        if not use.part.splits(**dict(use.items)):
            return f"1: {use!r} cannot be split, as it needs whole batches"
    if (size := trial.recipe.batch_size) % workers or size < LEAST_ROWS * workers:
        return f"a divisor of recipe.batch_size = {size}, with {LEAST_ROWS} images for each"
    return ""


@contextmanager
def joined(
    where: str, rank: int, size: int, device: str, synchronised: bool = False
) -> Iterator[Workers]:
    """This process as the worker of that rank, when all `size` of them have come.

    They meet at tcp://host:port of the first one, or by a file:///path that is not there yet.
    `device` is a kind: on "cuda" tensors go by NCCL, and each worker sees one GPU of its own.
    Collective calls raise RuntimeError where another worker has gone.
    """
    dist.init_process_group(
        BACKENDS[device], init_method=where, rank=rank, world_size=size, timeout=WAIT
    )
    try:
        yield Workers(rank, size, synchronised)
    finally:
        dist.destroy_process_group()
