"""How alike a head's class vectors are (`word_embedding`, Fig. 3); no image is classified."""

import base64
import csv
import io
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from trainables.data.loader import pixel_batches
from trainables.heads.word_vectors import WordVectors
from trainables.measures.measure import Finished, Measure, label
from trainables.settings import Count, Invalid, Use
from trainables.trial import Trial


class ClassSimilarity(Measure):
    """Cosines of the vectors of two classes: the highest and the mean of all pairs.

    The vectors are kept beside it, a line a class: its name, the first `images` of its training
    images as PNG in base64, and its numbers.
    """

    gives = ("highest", "mean")

    def __init__(self, *, images: Count = 3) -> None:
        self.images = images

    def __call__(self, finished: Finished) -> dict[str, float]:
        head = finished.method().model.head
        assert isinstance(head, WordVectors), "suits refuses every other"
        unit = head.unit.cpu()
        pairs = torch.triu_indices(len(unit), len(unit), 1).unbind()
        cosines = (unit @ unit.T)[pairs]
        self._keep(finished, unit)
        return {"highest": float(cosines.max()), "mean": float(cosines.mean())}

    def _keep(self, finished: Finished, unit: Tensor) -> None:
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("label", "images", *range(unit.shape[1])))
        for c, (name, vector) in enumerate(zip(finished.data.names, unit.tolist(), strict=True)):
            pictures = " ".join(map(png, self._of_class(finished, c)))
            writer.writerow((name, pictures, *(f"{number:.6g}" for number in vector)))
        finished.files.write_features(label(Use(type(self), images=self.images)), table.getvalue())

    def _of_class(self, finished: Finished, c: int) -> Tensor:
        """(at most `images`, channels, side, side), uint8."""
        train = finished.data.train
        places = (train.clean == c).nonzero()[: self.images, 0]
        (batch,) = pixel_batches(finished.data, train.at(places), self.images)
        return batch.x.cpu()

    @classmethod
    def suits(cls, trial: Trial, **settings: Any) -> None:
        super().suits(trial)
        if trial.head.part is not WordVectors:
            raise Invalid(f"ClassSimilarity: head = {trial.head!r}: must be WordVectors")


def png(x: Tensor) -> str:
    """An image (channels, side, side), uint8, as PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(x.permute(1, 2, 0).squeeze(2).numpy()).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()
