"""How far a model is from people: KL(human || model), for CIFAR-10H (Peterson et al. 2019)."""

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from trainables.data.sources.cifar import Cifar10
from trainables.measures.measure import Finished, Measure
from trainables.measures.neighbour_kl import NeighbourKL, mean_divergence
from trainables.settings import Invalid, Use, readable
from trainables.trial import Trial

SHAPE = (Cifar10.test_images, Cifar10.classes)


def human_labels(path: Path) -> Tensor:
    """Distributions (10000, 10), in the order of CIFAR-10's test images.

    Raises Invalid for a file with anything else.
    """
    field = f"HumanKL.file = {path}"
    with readable(path):
        content = path.read_bytes()
    try:
        shares = np.load(BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, BadZipFile) as error:
        raise Invalid(f"{field}: must be a NumPy array file ({error})") from None
    shape = getattr(shares, "shape", "several arrays")
    if shape != SHAPE:
        raise Invalid(f"{field}: must hold an array of shape {SHAPE}, holds {shape}")
    if shares.dtype.kind not in "fiu":
        raise Invalid(f"{field}: must hold numbers, holds {shares.dtype}")
    if not ((shares >= 0).all() and np.allclose(shares.sum(1), 1, atol=1e-3)):
        raise Invalid(f"{field}: must hold a distribution in each row")
    return torch.from_numpy(shares).float()


class HumanKL(Measure):
    """Mean KL from people's labels to the model's, over the test images that it gets right.

    `file` lies under the data folder. With `only_correct` off, over all test images.
    """

    gives = ("kl",)

    def __init__(self, *, file: str = "cifar10h-probs.npy", only_correct: bool = True) -> None:
        self.file, self.only_correct = file, only_correct

    def __call__(self, finished: Finished) -> dict[str, float]:
        human = human_labels(finished.site.folder / self.file)
        outputs = finished.outputs
        scores, y = outputs["test.scores"], outputs["test.y"]
        return {"kl": mean_divergence(human, scores, y, self.only_correct)}

    @classmethod
    def files(cls, folder: Path, *, file: str, **_: object) -> dict[str, Path]:
        return {"file": folder / file}

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        super().suits(trial)
        if trial.data.source.part is not Cifar10:
            found = trial.data.source.name
            raise Invalid(f"HumanKL: data.source = {found}: must be Cifar10, which people labelled")

    @classmethod
    def verify(cls, folder: Path, **settings: Any) -> None:
        human_labels(folder / settings["file"])

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(NeighbourKL, only_correct=use["only_correct"])
