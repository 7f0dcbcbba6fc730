"""Fused: nets of one shape as a single one, whose layers are theirs side by side.

Convolutions become grouped ones, and batch norm takes all channels at once. So a step of many small
nets launches as few operators as a step of one.
"""

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from trainables.nets.net import Net
from trainables.settings import Invalid


class Fused(nn.Module):
    """Several nets of equal shapes as one.

    Each net's weights and buffers become views of this one's: what is written to either is seen in
    both, until another `Fused` takes them over. Gradients are this one's alone.
    """

    def __init__(self, nets: Sequence[Net]) -> None:
        super().__init__()
        self.count = len(nets)
        self.net = _widened(copy.deepcopy(nets[0]), self.count)
        every = [tensors(net) for net in nets]
        for name, whole in tensors(self.net).items():
            whole.requires_grad_(every[0][name].requires_grad)
            for own, part in zip(
                (own[name] for own in every), parts(whole, self.count), strict=True
            ):
                part.copy_(own.data)
                own.data = part

    def forward(self, x: Sequence[Tensor]) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """What each net emits of its own images (n, channels, side, side)."""
        features, stages = self.net(torch.cat(list(x), 1))
        each = [features.chunk(self.count, 1), *(maps.chunk(self.count, 1) for maps in stages)]
        return [(own[0].contiguous(), own[1:]) for own in zip(*each, strict=True)]


def tensors(net: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers by name."""
    return {**dict(net.named_parameters()), **dict(net.named_buffers())}


def parts(whole: Tensor, count: int) -> tuple[Tensor, ...]:
    """Of a tensor of a fused net each net's own, as views without gradient.

    One without dimensions, the number of batches that batch norm has seen, is all nets'.
    """
    data = whole.detach()
    return data.chunk(count) if data.dim() else (data,) * count


def _widened(module: nn.Module, count: int) -> nn.Module:
    """The module for so many times the channels."""
    if hasattr(module, "fused"):
        fused: Any = module.fused
        return cast("nn.Module", fused(count))
    if type(module) is nn.Conv2d:
        return _grouped(module, count)
    if type(module) is nn.BatchNorm2d and module.affine:
        channels = count * module.num_features
        wide = nn.BatchNorm2d(channels, module.eps, module.momentum)
        return wide.to(module.weight)
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    if own or (isinstance(module, nn.Dropout) and module.p):
        raise Invalid(f"{type(module).__name__} cannot be fused")
    for name, child in module.named_children():
        setattr(module, name, _widened(child, count))
    return module


def _grouped(one: nn.Conv2d, count: int) -> nn.Conv2d:
    """On its device and in its memory format."""
    wide = nn.Conv2d(
        count * one.in_channels,
        count * one.out_channels,
        one.kernel_size,  # type: ignore[arg-type]
        one.stride,  # type: ignore[arg-type]
        one.padding,  # type: ignore[arg-type]
        one.dilation,  # type: ignore[arg-type]
        count * one.groups,
        one.bias is not None,
        one.padding_mode,
    )
    last = one.weight.is_contiguous(memory_format=torch.channels_last)
    order = torch.channels_last if last else torch.contiguous_format
    return wide.to(one.weight).to(memory_format=order)
