"""Batch norm over the images of all workers; torch's own, SyncBatchNorm, is for GPUs alone."""

from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Weighing(Protocol):
    """Of the running step: what a worker's sum counts in the sum of all, its mean in the mean."""

    weight: float
    share: float


class _Sum(torch.autograd.Function):
    """The sum over workers of what each has.

    Each worker's loss is the mean over its own rows, and its gradients are weighed by its share in
    the end. So each worker's slope by the sum has that one's share here, over one's own.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, workers: Weighing) -> Tensor:
        ctx.weight, ctx.share = workers.weight, workers.share
        total = own * workers.weight
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        total = slopes[0] * ctx.share
        dist.all_reduce(total)
        return total * (ctx.weight / ctx.share), None


class SynchronisedBatchNorm(_BatchNorm):
    """As batch norm by one worker: mean and variance are the whole batch's, in float32 at least."""

    workers: Weighing

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        shape = (1, -1, *[1] * (x.dim() - 2))
        over = [axis for axis in range(x.dim()) if axis != 1]
        images = values.new_tensor([x.numel() / x.shape[1]])
        sums = self._sum(torch.cat([values.sum(over), images]))
        mean, n = sums[:-1] / sums[-1].detach(), sums[-1].detach()
        centred = values - mean.view(shape)
        variance = self._sum(centred.square().sum(over)) / n
        self._note(mean, variance * n / (n - 1))
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            scale = scale * self.weight
        y = centred * scale.view(shape)
        return (y + self.bias.view(shape) if self.affine else y).to(x.dtype)

    def _sum(self, own: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(own, self.workers)
        return total

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the running statistics."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), rate)
        self.running_var.lerp_(variance.to(self.running_var.dtype), rate)

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002  # torch's name
        """Any."""


def synchronise(module: nn.Module, workers: Weighing) -> None:
    """Every batch norm within becomes one over all workers, with the weights that it has."""
    for norm in module.modules():
        if isinstance(norm, _BatchNorm):
            norm.__class__ = SynchronisedBatchNorm  # in place, where others hold it
            assert isinstance(norm, SynchronisedBatchNorm)
            norm.workers = workers
