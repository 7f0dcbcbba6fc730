"""Stepping: what the parts say that take part in a training step."""

from typing import Any

from torch import nn


class Stepping(nn.Module):
    """A base of nets, heads, targets, losses and methods."""

    draws = False  # whether `forward` uses chance: its fused trials step apart from others on a GPU

    @classmethod
    def captures(cls, **settings: Any) -> bool:
        """Whether what decides over `forward` are tensors, but for what an epoch begins with.

        If so, a GPU may repeat a step's kernels; and `--check` holds such steps against others.
        """
        return True
