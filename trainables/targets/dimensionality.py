"""D2L: labels give way to predictions as features gain dimensions (Ma et al., ICML 2018)."""

import math
from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.recipe import Recipe
from trainables.settings import Interval, Invalid, Suggest, Use
from trainables.targets.targets import Targets
from trainables.task import Out, Task

DEMO = 40 / 120  # of the published epochs
LEAST_DISTANCE = 1e-8  # an image may be in a batch twice
MOST = 1e3  # of an LID, where all neighbours are equally far
LEAST_IMAGES = 3  # of a batch: of one neighbour r_1 / r_k is always 1


def local_dimensionality(features: Tensor, k: int) -> Tensor:
    """LID (n,) = -(1/k sum_j log(r_j / r_k))^-1, r_1 <= ... <= r_k from features (n, d).

    They are an image's distances to its k nearest others, or to all others where these are fewer.
    """
    # By matrix products the distances of images that are much alike would be mostly rounding.
    apart = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    apart.fill_diagonal_(torch.inf)
    r = apart.topk(min(k, len(features) - 1), largest=False).values.clamp(min=LEAST_DISTANCE)
    return -1 / (r / r[:, -1:]).log().mean(1).clamp(max=-1 / MOST)


def turned(lids: Sequence[float], window: int) -> bool:
    """Whether an epoch's LID exceeds mean + 2 * std of those of the `window` epochs before it."""
    epochs = range(window, len(lids))
    before = ((lids[e], lids[e - window : e]) for e in epochs)
    return any(lid > fmean(past) + 2 * pstdev(past) for lid, past in before)


def label_weight(lids: Sequence[float], window: int, epochs: int) -> float:
    """alpha = exp(-e / T * LID_e / min_{j < e} LID_j), e the last of `lids`, from 0, T = `epochs`.

    Before the turning point it is 1.
    """
    if not turned(lids, window):
        return 1.0
    *before, last = lids
    return math.exp(-len(before) / epochs * last / min(before))


class DimensionalityDriven(Targets):
    """alpha * label + (1 - alpha) * the class that the net takes it for; alpha falls with LID.

    The LID of an epoch is the mean over its images, each among its batch. It is of features in
    training mode, before the step. (The public code takes 1280 images in evaluation mode.) Batches
    of fewer than three images are left out. After each epoch alpha is set for the next one.

    At the turning point the paper goes back to the weights of the epoch before. That is not done
    here, since targets own no weights. `window` and k are the paper's for CIFAR-10, of 120 epochs.
    The public code has a window of 5, after some first epochs that are not looked at.
    """

    lids: Tensor
    alpha: Tensor
    total: Tensor
    images: Tensor

    def __init__(
        self,
        task: Task,
        *,
        k: Annotated[int, Interval("[2, inf)")] = 20,
        window: Annotated[int, Interval("[2, inf)")] = 12,
    ) -> None:
        super().__init__(task)
        self.k, self.window = k, window
        self.register_buffer("lids", torch.full((task.recipe.epochs,), torch.nan))
        self.register_buffer("alpha", torch.tensor(1.0))
        self.register_buffer("total", torch.tensor(0.0))  # of the running epoch's LIDs
        self.register_buffer("images", torch.tensor(0))

    def forward(self, batch: Batch, out: Out) -> Tensor:
        label = F.one_hot(batch.y, self.task.classes).float()
        said = F.one_hot(out.scores.argmax(1), self.task.classes).float()
        return said.lerp(label, self.alpha)

    def observe(self, batch: Batch, out: Out) -> None:
        if len(batch.y) >= LEAST_IMAGES:
            self.total += local_dimensionality(out.features.float(), self.k).sum()
            self.images += len(batch.y)

    def end_epoch(self) -> None:
        epoch = int(self.lids.isfinite().sum())
        self.lids[epoch] = self.total / self.images
        self.total.zero_()
        self.images.zero_()
        known = self.lids[: epoch + 1].tolist()
        self.alpha.fill_(label_weight(known, self.window, len(self.lids)))

    @classmethod
    def check_recipe(cls, recipe: Recipe, *, window: int, **_: object) -> None:
        if window >= recipe.epochs:
            valid = f"below {recipe.epochs}, the epochs of the whole training"
            raise Invalid(f"{cls.__name__}.window = {window}: must be {valid}")

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        """The window is left alone: how long it may be depends on the recipe."""
        return {"k": trial.suggest_int("k", 5, 50, log=True)}

    @classmethod
    def demo(cls, use: Use) -> Use:
        """The window in proportion, and long enough for a deviation."""
        return use.but(window=max(2, round(use["window"] * DEMO)))
