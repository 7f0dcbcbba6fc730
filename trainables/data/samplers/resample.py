"""Re-sampling: rare classes are drawn more often than they have images."""

import torch
from torch import Tensor

from trainables.data.samplers.sampler import Sampler
from trainables.labels.class_weights import Beta, Rule, class_weights


class Resample(Sampler):
    """As many images as there are, drawn with replacement by the weights of their classes.

    "inverse": with probability proportional to 1 / n_c, so that all classes are as frequent.
    "effective" is LDAM's public code: by the inverse of the effective number of images, at `beta`.
    """

    def __init__(self, *, rule: Rule = "inverse", beta: Beta = 0.9999) -> None:
        self.rule, self.beta = rule, beta

    def __call__(self, y: Tensor, classes: int, generator: torch.Generator) -> Tensor:
        counts = torch.bincount(y, minlength=classes)
        chances = class_weights(counts, self.rule, self.beta)[y]
        return torch.multinomial(chances, len(y), replacement=True, generator=generator)
