"""The embedded digits as a trial is given them."""

from pathlib import Path

import torch
from torch import Tensor

from trainables.data.data import Data, Split, load
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.sources.digits import Digits
from trainables.data.spec import DataSpec
from trainables.settings import Use


def digits(seed: int = 0, **spec: object) -> Data:
    source = Use(Digits)
    return load(DataSpec(source=source, **spec), seed, Path(), torch.device("cpu"))  # type: ignore[arg-type]


def rows(split: Split | None) -> set[int]:
    assert split is not None
    return set(split.rows.tolist())


def long_tailed(rho: float, **spec: object) -> Data:
    return digits(imbalance=Use(LongTail, rho=rho), **spec)


def images(data: Data) -> list[int]:
    return torch.bincount(data.train.y, minlength=10).tolist()


def true_labels() -> Tensor:
    return Digits().load(Path(), "train")[1]
