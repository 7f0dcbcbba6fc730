"""Expected calibration error (Guo et al., ICML 2017, equation 3)."""

import torch
from torch import Tensor

from trainables.measures.measure import Finished, Measure
from trainables.settings import Count


def calibration_error(probabilities: Tensor, y: Tensor, bins: int) -> float:
    """sum_m |B_m| / n * |accuracy(B_m) - confidence(B_m)| over (n, classes) and labels (n,).

    B_m: the images whose highest probability lies in ((m - 1) / bins, m / bins].
    """
    confidence, predicted = probabilities.double().max(1)
    inner = torch.linspace(0, 1, bins + 1, dtype=torch.double, device=y.device)[1:-1]
    place = torch.bucketize(confidence, inner)
    excess = torch.zeros(bins, dtype=torch.double, device=y.device)
    excess.index_add_(0, place, (predicted == y).double() - confidence)
    return float(excess.abs().sum()) / len(y)


class Calibration(Measure):
    """The error of the test images' softmax probabilities; the paper's number of bins."""

    gives = ("ece",)

    def __init__(self, *, bins: Count = 15) -> None:
        self.bins = bins

    def __call__(self, finished: Finished) -> dict[str, float]:
        probabilities = finished.outputs["test.scores"].softmax(1)
        return {"ece": calibration_error(probabilities, finished.outputs["test.y"], self.bins)}
