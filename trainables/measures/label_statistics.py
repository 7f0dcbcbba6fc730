"""Statistics of the arrays that are labels; no image is classified."""

import csv
import io
from typing import Any

import torch
from torch import Tensor

from trainables.heads.label_decoder import LabelDecoder
from trainables.heads.linear import Linear
from trainables.labels.matrices.statistics import distances, entropy
from trainables.measures.measure import Finished, Measure, label
from trainables.settings import Count, Invalid, Use
from trainables.trial import Trial


class LabelStatistics(Measure):
    """Mean entropy of a label's numbers in bits, mean L1 and L2 distance of two labels.

    Distances are of labels scaled to lie from 0 to 1 (`statistics`). A linear head has one-hot
    labels. The labels of the first `classes` classes are kept beside it, for a picture: a line a
    class, with height, width and the numbers by rows.
    """

    gives = ("entropy", "l1", "l2")

    def __init__(self, *, classes: Count = 10) -> None:
        self.classes = classes

    def __call__(self, finished: Finished) -> dict[str, float]:
        labels = self._labels(finished).cpu()
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        shown = labels[: self.classes]
        height, width = shown.shape[1:] if shown.dim() == 3 else (1, shown[0].numel())
        rows.writerow(("label", "height", "width", *range(shown[0].numel())))
        for name, numbers in zip(finished.data.names, shown.flatten(1).tolist(), strict=False):
            rows.writerow((name, height, width, *(f"{number:.4g}" for number in numbers)))
        kept = label(Use(type(self), classes=self.classes))
        finished.files.write_features(kept, table.getvalue())
        return {
            "entropy": float(entropy(labels).mean()),
            "l1": float(distances(labels, 1).mean()),
            "l2": float(distances(labels, 2).mean()),
        }

    @staticmethod
    def _labels(finished: Finished) -> Tensor:
        """(classes, *shape)"""
        head = finished.method().model.head
        return (
            head.matrices if isinstance(head, LabelDecoder) else torch.eye(len(finished.data.names))
        )

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        super().suits(trial)
        if not (trial.head.part.emits_labels or trial.head.part is Linear):
            valid = "LabelDecoder or Linear, whose labels are one-hot"
            raise Invalid(f"LabelStatistics: head = {trial.head!r}: must be {valid}")
