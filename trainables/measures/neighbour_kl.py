"""KL to the labels of similar images: at demo scale the stand-in for people's labels."""

import torch.nn.functional as F
from torch import Tensor, cdist

from trainables.measures.measure import Finished, Measure
from trainables.settings import Count, Invalid


def mean_divergence(truth: Tensor, scores: Tensor, y: Tensor, only_correct: bool) -> float:
    """Mean of sum_k truth_k log(truth_k / softmax(scores)_k), both (n, classes), in nats.

    Over the images whose highest score is at the label, or over all. Raises Invalid for none.
    """
    chosen = (scores.argmax(1) == y) | (not only_correct)
    if not chosen.any():
        raise Invalid("no test image is predicted correctly")
    divergence = F.kl_div(scores.log_softmax(1), truth, reduction="none").sum(1)
    return float(divergence[chosen].mean())


def neighbour_labels(x: Tensor, y: Tensor, neighbours: int, classes: int) -> Tensor:
    """(n, classes): shares of the labels y (n,) among each image and its nearest others in x.

    By Euclidean distance of x (n, ...).
    """
    flat = x.flatten(1).double()
    distance = cdist(flat, flat).fill_diagonal_(-1)  # nearest to itself, also of equal images
    nearest = distance.argsort(dim=1, stable=True)[:, : neighbours + 1]
    return F.one_hot(y[nearest], classes).float().mean(1)


class NeighbourKL(Measure):
    """KL(neighbours || model): NO human labels, but those of each test image's nearest ones.

    Stands in for HumanKL on the embedded digits, which nobody labelled twice.
    """

    gives = ("kl",)
    instead_of = "human labels, those of the most similar test images"

    def __init__(self, *, neighbours: Count = 10, only_correct: bool = True) -> None:
        self.neighbours, self.only_correct = neighbours, only_correct

    def __call__(self, finished: Finished) -> dict[str, float]:
        scores, y = finished.outputs["test.scores"], finished.outputs["test.y"]
        test = finished.test
        x = test.images[test.rows].to(y.device)
        truth = neighbour_labels(x, y, self.neighbours, scores.shape[1])
        return {"kl": mean_divergence(truth, scores, y, self.only_correct)}
