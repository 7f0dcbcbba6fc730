"""Accuracy on attacked test images."""

from abc import abstractmethod
from typing import Annotated

import torch
from torch import Tensor

from trainables.attacks import Scores, fgsm, images_only, in_ball, pgd
from trainables.chance import generator
from trainables.measures.measure import Finished, Measure
from trainables.measures.top_k import accuracies
from trainables.settings import Count, Fraction, Interval

Share = Annotated[float, Interval("(0, 1]")]  # of the pixels' range


class Attack(Measure):
    """Every test image is attacked in pixel space, towards a higher cross-entropy of its label."""

    gives = ("accuracy", "top5_accuracy")

    def __call__(self, finished: Finished) -> dict[str, float]:
        method = finished.method()

        def scores(pixels: Tensor) -> Tensor:
            return method.predict(finished.normalised(pixels))

        found, labels = [], []
        with images_only(method):
            for place, batch in enumerate(finished.pixels()):
                chance = generator(finished.trial.seed, "attack", place)
                attacked = self.attacked(scores, batch.x, batch.y, chance)
                with torch.no_grad():
                    found.append(scores(attacked))
                labels.append(batch.y)
        return accuracies(torch.cat(found), torch.cat(labels))

    @abstractmethod
    def attacked(self, scores: Scores, x: Tensor, y: Tensor, chance: torch.Generator) -> Tensor:
        """The images, changed. In pixels, 0 to 255, as x."""


class Fgsm(Attack):
    """One step of `eps`, a share of the pixels' range: 8/255 is 8 grey levels."""

    def __init__(self, *, eps: Fraction) -> None:
        self.eps = 255 * eps

    def attacked(self, scores: Scores, x: Tensor, y: Tensor, chance: torch.Generator) -> Tensor:
        return fgsm(scores, x, y, self.eps)


class Pgd(Attack):
    """`steps` steps of `step` each within `eps`, both shares of the pixels' range.

    The paper says neither the step nor whether it starts at random.
    """

    def __init__(
        self,
        *,
        eps: Fraction,
        steps: Count = 20,
        step: Share = 2 / 255,
        random_start: bool = True,
    ) -> None:
        self.eps, self.steps, self.step = 255 * eps, steps, 255 * step
        self.random_start = random_start

    def attacked(self, scores: Scores, x: Tensor, y: Tensor, chance: torch.Generator) -> Tensor:
        start = in_ball(x, self.eps, chance) if self.random_start else x
        return pgd(scores, x, y, self.eps, self.step, self.steps, start)
