"""L2RW: each step's weights are read off a clean batch, without a net (Ren et al., ICML 2018)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.methods.meta_learned import (
    Advice,
    Bilevel,
    Gradient,
    Layers,
    MetaLearned,
    Precision,
)
from trainables.methods.mw_net import weigh
from trainables.model import Model
from trainables.task import Task


class L2RW(MetaLearned):
    """w_i = max(-d L_meta / d eps_i, 0), normalised to sum 1 in the batch (equations 9 to 12).

    eps weighs the virtual step and is 0: the meta gradient is taken at the very weights, as in the
    official code. (The PyTorch port steps ahead with eps = 0 and so comes to the same point.) With
    `look_ahead` eps is 1 / n instead, and the gradient is taken after a step of plain training.
    Where all weights are 0, the step changes weights by momentum and weight decay alone.
    """

    nothing_to_search = "has no settings: a clean batch says all of the weights"

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        look_ahead: bool = False,
        gradient: Gradient = "forward",
        precision: Precision = "float32",
        layers: Layers = None,
        noted: bool = False,
    ) -> None:
        super().__init__(model, task, Bilevel(gradient, precision, layers, noted))
        self.look_ahead = look_ahead
        self.weights = torch.empty(0)

    def begin(self, y: Tensor) -> Sequence[Tensor]:
        start = 1.0 if self.look_ahead else 0.0
        self.weights = torch.full((len(y),), start, device=y.device, requires_grad=True)
        return [self.weights]

    def advise(self, features: Tensor, losses: Tensor) -> Advice:
        return (self.weights,)

    def weighted(self, features: Tensor, y: Tensor, advice: Advice) -> Tensor:
        return weigh(self.cross_entropies(features, y), advice[0], normalised=False)

    def learn(self, gradient: Sequence[Tensor]) -> None:
        helps = (-gradient[0]).clamp(min=0)
        total = helps.sum()
        self.weights = len(helps) * helps / (total + (total == 0))
