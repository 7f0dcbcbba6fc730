"""Accuracy on attacked test images."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.measures.measure import Finished, Measure
from trainables.measures.top_k import accuracies
from trainables.seeding import generator
from trainables.settings import Count, Fraction, Share

Scores = Callable[[Tensor], Tensor]  # of pixels: (n, classes)


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


def fgsm(scores: Scores, x: Tensor, y: Tensor, eps: float) -> Tensor:
    """x + eps * sign(grad_x J), clipped to pixels (Goodfellow et al. 2015; OLS, equation 11)."""
    return (x + eps * gradient(scores, x, y).sign()).clamp(0, 255)


def pgd(
    scores: Scores, x: Tensor, y: Tensor, eps: float, step: float, steps: int, start: Tensor
) -> Tensor:
    """FGSM's step again and again, from `start` on (Madry et al. 2018, section 2.1).

    What leaves the ball, at most eps away from x in each pixel, is put back on its border.
    """
    low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=255)
    now = start.clamp(low, high)
    for _ in range(steps):
        now = (now + step * gradient(scores, now, y).sign()).clamp(low, high)
    return now


def in_ball(x: Tensor, eps: float, chance: torch.Generator) -> Tensor:
    """x with uniform noise from [-eps, eps], the same on every device."""
    return x + eps * (2 * torch.rand(x.shape, generator=chance) - 1).to(x.device)


def gradient(scores: Scores, x: Tensor, y: Tensor) -> Tensor:
    """Of each image's J with respect to the image; the images must not be each other's input."""
    x = x.detach().requires_grad_()
    # In double precision, where 1 - p of a confident model is not yet rounded to zero.
    loss = F.cross_entropy(scores(x).double(), y, reduction="sum")
    return torch.autograd.grad(loss, x)[0]


@contextmanager
def images_only(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and gradients with respect to images alone; afterwards all is as before."""
    modes = [(module, module.training) for module in model.modules()]
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, before in wanted:
            parameter.requires_grad_(before)
