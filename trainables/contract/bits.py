"""Bits: two states, results or metrics are held against each other bit for bit."""

from typing import Any

import torch
from torch import Tensor


def bits(state: Any, name: str = "") -> dict[str, Any]:
    """What a nest of dicts and lists holds now, by dotted name; tensors as bytes."""
    if isinstance(state, dict | list | tuple):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        nested = (bits(value, f"{name}.{key}" if name else str(key)) for key, value in items)
        return {k: v for part in nested for k, v in part.items()}
    if isinstance(state, Tensor):
        flat = state.detach().cpu().contiguous().view(-1)
        return {name: (state.dtype, state.shape, flat.view(torch.uint8).numpy().tobytes())}
    return {name: repr(state)}


def different(one: Any, other: Any) -> list[str]:
    """The dotted names under which two nests do not hold the same, or one of them nothing."""
    left, right = bits(one), bits(other)
    return [name for name in {**left, **right} if left.get(name) != right.get(name)]
