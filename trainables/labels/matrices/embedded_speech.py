"""The embedded speech of the digits' names; embedded/README.md says how it was made."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.labels.matrices.label_matrices import LabelMatrices
from trainables.labels.matrices.spectrogram import FLOOR
from trainables.settings import Invalid

EMBEDDED = Path(__file__).parent / "embedded" / "speech.npz"
LEVELS = 2**16 - 1  # whole numbers from 0 to this stand for 0 to -80 dB


@cache
def embedded() -> dict[str, Tensor]:
    """The label (64, 64) of each name, in dB from -80 to 0."""
    with np.load(EMBEDDED, allow_pickle=False) as file:
        names, levels = file["names"].tolist(), file["levels"]
    labels = torch.from_numpy((levels * (-FLOOR / LEVELS)).astype(np.float32))
    return dict(zip(names, labels, strict=True))


class EmbeddedSpeech(LabelMatrices):
    """Speech of the names of the digits, which stands for any other at demo scale."""

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        known = embedded()
        for name in names:
            if name not in known:
                raise Invalid(f"class {name!r} has no embedded speech: must be {', '.join(known)}")
        return torch.stack([known[name] for name in names])
