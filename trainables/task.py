"""Task: what a part may know of its training; Out: what a model says of images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from trainables.recipe import Recipe
from trainables.settings import Use

M = TypeVar("M", bound=nn.Module)
# What differs in the trial of a teacher: its fields by name; None stands for a field's default.
Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Out:
    """What a model says of n images."""

    features: Tensor  # (n, features)
    output: Tensor  # the head's, of any shape
    scores: Tensor  # (n, classes), float32: larger is more likely
    stages: tuple[Tensor, ...]  # each stage's feature maps (n, channels, height, width)

    def each(self, change: Callable[[Tensor], Tensor]) -> "Out":
        """The same with every tensor changed so."""
        stages = tuple(map(change, self.stages))
        return Out(change(self.features), change(self.output), change(self.scores), stages)

    def detach(self) -> "Out":
        return self.each(Tensor.detach)


@dataclass(frozen=True)
class Parts:
    """What a model is built of."""

    net: Use
    head: Use
    targets: Use
    loss: Use


@dataclass(frozen=True, eq=False)
class Task:
    """What a part may know of the training that it takes part in."""

    recipe: Recipe
    seed: int
    parts: Parts  # of the trial's own model
    names: tuple[str, ...]  # of the classes
    y: Tensor  # (n,) training labels by index
    channels: int
    side: int  # of the square images that the net sees, in pixels
    steps: int  # in an epoch
    folder: Path  # where the files of settings lie
    device: torch.device
    # The trained model of the trial with these changes, in evaluation mode.
    teacher: Callable[[Changes], Callable[[Tensor], Out]]
    features: int = 0  # that the net emits; 0 before it is built

    @property
    def classes(self) -> int:
        return len(self.names)

    @cached_property
    def counts(self) -> Tensor:
        """(classes,) training images of each class."""
        return torch.bincount(self.y, minlength=self.classes)

    def placed(self, module: M) -> M:
        """The module on the device, in the recipe's memory format where that is computed right."""
        formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
        wrong = self.device.type == "cpu" and any(map(_miscomputed, module.modules()))
        name = "contiguous" if wrong else self.recipe.memory_format
        return module.to(self.device).to(memory_format=formats[name])


def _miscomputed(module: nn.Module) -> bool:
    """Of this convolution in channels_last oneDNN gets gradients wrong, or breaks the heap.

    Its issue 6035: fewer inputs than a block, 8 with AVX2 and 16 with AVX-512.
    """
    if not isinstance(module, nn.Conv2d) or module.in_channels // module.groups >= 16:
        return False
    return module.kernel_size == (1, 1) and module.stride != (1, 1)
