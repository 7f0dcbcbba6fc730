"""Checkpoint ensembles: the average of models from evenly spaced epochs (OLS, equation 10)."""

from typing import Any, Literal

import torch
from torch import Tensor

from trainables.measures.measure import Finished, Measure
from trainables.measures.top_k import accuracies
from trainables.recipe import Recipe, kept_epochs
from trainables.settings import Count, Invalid
from trainables.trial import Trial


def members_of(recipe: Recipe, members: int) -> list[int]:
    """So many of the kept epochs, evenly spaced, the last one among them."""
    kept = kept_epochs(recipe.epochs, recipe.keep)
    return [kept[place - 1] for place in kept_epochs(recipe.keep, members)]


class Ensemble(Measure):
    """Accuracy of the average over `members` of the epochs that the recipe keeps.

    The paper does not say what is averaged: here the probabilities, or else the scores ("logits").
    """

    gives = ("accuracy", "top5_accuracy")

    def __init__(
        self, *, members: Count, average: Literal["probabilities", "logits"] = "probabilities"
    ) -> None:
        self.members, self.average = members, average

    @torch.no_grad()
    def __call__(self, finished: Finished) -> dict[str, float]:
        total: Tensor | float = 0.0
        for epoch in members_of(finished.trial.recipe, self.members):
            predict = finished.method(epoch).predict
            batches = finished.pixels()
            scores = torch.cat([predict(finished.normalised(batch.x)) for batch in batches])
            total = total + (scores.softmax(1) if self.average == "probabilities" else scores)
        assert isinstance(total, Tensor)
        return accuracies(total, finished.test.y)

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        super().suits(trial)
        keep = trial.recipe.keep
        if settings["members"] > keep:
            valid = f"at most recipe.keep = {keep}, the epochs whose weights are kept"
            raise Invalid(f"Ensemble.members = {settings['members']}: must be {valid}")
