"""Shuffled speech: the control that keeps the numbers of speech and not their order in time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from trainables.labels.matrices.label_matrices import LabelMatrices
from trainables.labels.matrices.speech import Speech
from trainables.seeding import generator
from trainables.settings import Interval, Of, Use


def shuffled(labels: Tensor, seed: int) -> Tensor:
    """The labels (classes, *, columns), the columns of each class in another random order."""
    chance = generator(seed, "shuffled speech", len(labels))
    orders = [torch.randperm(labels.shape[-1], generator=chance) for _ in labels]
    return torch.stack([label[..., o] for label, o in zip(labels, orders, strict=True)])


class ShuffledSpeech(LabelMatrices):
    """`speech` with its columns, which are times, in another order for each class.

    The orders are drawn by `seed`, whatever the trial's.
    """

    def __init__(
        self,
        *,
        speech: Annotated[Use, Of(LabelMatrices)] = Use(Speech),
        seed: Annotated[int, Interval("[0, inf)")] = 0,
    ) -> None:
        self.speech, self.seed = speech, seed

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        return shuffled(self.speech.build()(names, folder, seed), self.seed)
