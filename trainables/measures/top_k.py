"""Top-k accuracy."""

from typing import Any

from torch import Tensor

from trainables.measures.measure import Finished, Measure
from trainables.settings import Count, Invalid
from trainables.trial import Trial


def top_k(scores: Tensor, y: Tensor, k: int) -> float:
    """Share of images whose label is among the k highest scores (n, classes); ties: lower first."""
    highest = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
    return float((highest == y[:, None]).any(1).float().mean())


def accuracies(scores: Tensor, y: Tensor) -> dict[str, float]:
    """Top-1 and top-5 accuracy; with fewer than five classes all are among them."""
    return {"accuracy": top_k(scores, y, 1), "top5_accuracy": top_k(scores, y, 5)}


class TopK(Measure):
    """Share of test images whose label is among the k highest scores."""

    gives = ("accuracy",)

    def __init__(self, *, k: Count = 5) -> None:
        self.k = k

    def __call__(self, finished: Finished) -> dict[str, float]:
        outputs = finished.outputs
        return {"accuracy": top_k(outputs["test.scores"], outputs["test.y"], self.k)}

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        super().suits(trial)
        classes = trial.data.source.build().classes
        if settings["k"] > classes:
            raise Invalid(f"TopK.k = {settings['k']}: must be at most {classes}, the classes")
