"""Accuracy on images attacked through the trial's own loss (Chen et al., ICLR 2021)."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.measures.attack import images_only
from trainables.measures.measure import Finished, Measure
from trainables.model import Model
from trainables.seeding import generator
from trainables.settings import Count, Invalid
from trainables.targets.targets import Targets
from trainables.trial import Trial

EPS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)  # in standard deviations of the data set's pixels
Slope = Callable[[Tensor], Tensor]  # of images: what they are changed along, of their shape
Bounds = tuple[Tensor, Tensor]  # the least and the most of each pixel; both fit the images' shape


def climbed(
    slope: Slope, x: Tensor, first: Tensor, eps: float, steps: int, within: Bounds
) -> Tensor:
    """x (n, channels, side, side) after `steps` of eps / steps each along the slope's sign.

    So no pixel moves by more than eps. After each step all are put back within the bounds. `first`
    is the slope at x, which all eps share.
    """
    step = eps / steps
    now = (x + step * first.sign()).clamp(*within)
    for _ in range(steps - 1):
        now = (now + step * slope(now).sign()).clamp(*within)
    return now


def other_class(
    y: Tensor, classes: int, which: Literal["next", "random"], chance: torch.Generator
) -> Tensor:
    """(n,) of each label the next class, the first after the last, or any other at random."""
    if which == "next":
        return (y + 1) % classes
    return (y + torch.randint(1, classes, y.shape, generator=chance).to(y.device)) % classes


class LabelAttack(Measure):
    """The share of images still right, where all were right before, for several eps at once.

    A net's input, which has mean 0 and deviation 1, changes by at most eps. One of `steps` is FGSM,
    five are the paper's iterative attack. The trial's own loss to the label rises, or, with a
    `target`, that to another class falls. "accuracy" is the mean over all eps above 0.

    `clip` keeps pixels within nothing, the range of their own image (as the public FGSM), or 0 to
    255. `of`: the share of those right before, or of all test images (as the public code).
    """

    gives = (*(f"accuracy at {eps:g}" for eps in EPS), "accuracy")

    def __init__(
        self,
        *,
        steps: Count = 1,
        target: Literal["none", "next", "random"] = "none",
        clip: Literal["none", "image", "pixels"] = "none",
        of: Literal["right", "all"] = "right",
    ) -> None:
        self.steps, self.target, self.clip, self.of = steps, target, clip, of

    def __call__(self, finished: Finished) -> dict[str, float]:
        model = finished.method().model
        found = []
        with images_only(model):
            for place, batch in enumerate(finished.pixels()):
                chance = generator(finished.trial.seed, "label attack", place)
                found.append(self._still_right(finished, model, batch, chance))
        still = torch.cat(found)
        if not len(still):
            raise Invalid("LabelAttack: no test image was classified correctly before the attack")
        images = len(still) if self.of == "right" else len(finished.test)
        shares = (still.sum(0) / images).tolist()
        at = {f"accuracy at {eps:g}": share for eps, share in zip(EPS, shares, strict=True)}
        return {**at, "accuracy": sum(shares[1:]) / len(shares[1:])}

    def _still_right(
        self, finished: Finished, model: Model, batch: Batch, chance: torch.Generator
    ) -> Tensor:
        """(n, eps) whether each of the n images that were right before still is."""
        aim, sign = batch.y, 1
        if self.target != "none":
            classes = len(finished.data.names)
            aim, sign = other_class(batch.y, classes, self.target, chance), -1
        x = finished.normalised(batch.x)
        right = self._right(model, x, batch.y)
        x, y, aim, index = x[right], batch.y[right], aim[right], batch.index[right]
        last = finished.trial.recipe.epochs - 1

        def slope(now: Tensor) -> Tensor:
            now = now.detach().requires_grad_()
            losses = model.objective(Batch(now, aim, index, epoch=last), model(now))
            return sign * torch.autograd.grad(losses.sum(), now)[0]

        first, within = slope(x), self._bounds(finished, x)
        changed = (climbed(slope, x, first, eps, self.steps, within) for eps in EPS[1:])
        return torch.stack([y >= 0, *(self._right(model, now, y) for now in changed)], dim=1)

    @staticmethod
    @torch.no_grad()
    def _right(model: Model, x: Tensor, y: Tensor) -> Tensor:
        """(n,)"""
        right: Tensor = model(x).scores.argmax(1) == y
        return right

    def _bounds(self, finished: Finished, x: Tensor) -> Bounds:
        """Of the pixels as the net sees them, by `clip`."""
        if self.clip == "image":
            return x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
        if self.clip == "pixels":
            return finished.normalised(x.new_tensor(0.0)), finished.normalised(x.new_tensor(255.0))
        return x.new_tensor(-math.inf), x.new_tensor(math.inf)

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        super().suits(trial)
        part = trial.targets.part
        if part.observe is not Targets.observe or hasattr(part, "teacher"):
            valid = "targets that follow from the label: others know the training images alone"
            raise Invalid(f"LabelAttack: trial.targets = {trial.targets!r}: must be {valid}")
