"""Softmax equalization loss, by a function of class frequencies (Tan et al., CVPR 2020)."""

from typing import Annotated, Literal

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.settings import Fraction, Interval, Positive, Suggest
from trainables.task import Out, Task

THRESHOLD, SHIFT, FALL = 3e-3, 80.0, 3000.0  # of both functions of a class's share
LEAST = 1e-6  # of a class's share in the softmax, whose logarithm is taken


def equalised(scores: Tensor, target: Tensor, left_out: Tensor) -> Tensor:
    """(n,) -log p_y with p_j = exp(z_j) / sum_k w_k exp(z_k); all three are (n, classes).

    w_k = 1 - left_out_k for classes that are not the target's, and LEAST at the least.
    """
    w = (1 - left_out * (1 - target)).clamp(min=LEAST)
    return (scores + w.log()).logsumexp(1) - (target * scores).sum(1)


def gompertz(share: Tensor, shift: float, fall: float) -> Tensor:
    """1 - exp(-shift * exp(-fall * f)): from nearly 1 for the rarest classes smoothly to 0."""
    return 1 - (-shift * (-fall * share).exp()).exp()


class Equalization(Loss):
    """Cross-entropy of a softmax that leaves out b * T(f_k) of each class k but the label's.

    T depends on a class's share f of the training images. With `function` "step" it is 1 below
    `threshold`, else 0; "gompertz" is the smooth decay with `shift` and `fall`, the other function
    that the paper tries. b is drawn for each image and class, 1 with probability `chance`. So rare
    classes are mostly not pushed down by images of others. The authors' code is of detection: this
    follows the paper.
    """

    draws = True
    rare: Tensor

    def __init__(
        self,
        task: Task,
        *,
        threshold: Annotated[float, Interval("(0, 1)")] = THRESHOLD,
        chance: Fraction = 0.95,
        function: Literal["step", "gompertz"] = "step",
        shift: Positive = SHIFT,
        fall: Positive = FALL,
    ) -> None:
        super().__init__(task)
        self.chance = chance
        share = task.counts.float() / task.counts.sum()
        step = function == "step"
        rare = (share < threshold).float() if step else gompertz(share, shift, fall)
        self.register_buffer("rare", rare, persistent=False)  # follows from the data

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        drawn = (torch.rand_like(out.scores) < self.chance).float()
        return equalised(out.scores, target, drawn * self.rare)

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "threshold": trial.suggest_float("threshold", 1e-4, 0.2, log=True),
            "chance": trial.suggest_float("chance", 0.5, 1),
            "function": trial.suggest_categorical("function", ("step", "gompertz")),
            "fall": trial.suggest_float("fall", 30, 30_000, log=True),
        }
