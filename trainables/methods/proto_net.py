"""ProtoNet: prototypes are means of features (Snell et al., NeurIPS 2017), without episodes."""

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.data.samplers.pairs import Pairs
from trainables.heads.prototypes import Prototypes, squared_distances
from trainables.methods.method import Method, Sweep
from trainables.model import Model
from trainables.recipe import Recipe
from trainables.settings import Invalid, Use
from trainables.task import Task


def class_means(features: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """(classes, d) means of features (n, d) by label (equation 1), and (classes,) how many."""
    n = torch.bincount(y, minlength=classes)
    sums = features.new_zeros(classes, features.shape[1]).index_add(0, y, features)
    return sums / n.clamp(min=1)[:, None], n


class ProtoNet(Method):
    """The first of each pair in a batch supports, the second asks (equation 2).

    The loss is the cross-entropy of -gamma * ||f - m_c||^2 over the classes in the batch. m_c is
    the mean of a class's support, gamma that of the head Prototypes. Before an evaluation the
    head's prototypes become the means of all training features, seen in evaluation mode.
    """

    nothing_to_search = "has no settings: gamma is the head's"
    replaces = ("targets", "loss")
    sampling = Use(Pairs)

    @classmethod
    def check_recipe(cls, recipe: Recipe) -> None:
        if recipe.batch_size % 2:
            valid = "even: ProtoNet halves its batches"
            raise Invalid(f"recipe.batch_size = {recipe.batch_size}: must be {valid}")

    @classmethod
    def takes_distances(cls, **_: Any) -> bool:
        return True

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__(model, task)
        self.classes = task.classes

    @property
    def head(self) -> Prototypes:
        """The model's; not held twice, since a checkpoint has all that a method holds."""
        head = self.model.head
        assert isinstance(head, Prototypes), "no other head emits distances"
        return head

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        out = self.model(batch.x)
        features = out.features.float()
        means, n = class_means(features[::2], batch.y[::2], self.classes)
        asking = Batch(batch.x[1::2], batch.y[1::2], batch.index[1::2], epoch=batch.epoch)
        scores = self.head.scores(squared_distances(features[1::2], means))
        said = replace(out.each(lambda x: x[1::2]), scores=scores.masked_fill(n == 0, -torch.inf))
        return self.step(asking, said, F.cross_entropy(said.scores, asking.y), lr)

    def before_evaluation(self, sweep: Sweep) -> None:
        prototypes = self.head.prototypes
        sums, n = torch.zeros_like(prototypes), prototypes.new_zeros(self.classes)
        for batch in sweep():
            sums.index_add_(0, batch.y, self.model(batch.x).features.float())
            n += torch.bincount(batch.y, minlength=self.classes)
        present = n > 0
        prototypes[present] = sums[present] / n[present, None]
