"""Attacks: images changed a little so that a model errs. Images and sizes are in pixels, 0 to 255.

x: (n, channels, side, side), float; y: (n,) the true labels. J is the cross-entropy.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Scores = Callable[[Tensor], Tensor]  # of pixels: (n, classes)


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
