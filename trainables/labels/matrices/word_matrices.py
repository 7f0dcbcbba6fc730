"""Class vectors as labels: GloVe's and BERT's of the paper."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from torch import Tensor

from trainables.labels.matrices.label_matrices import LabelMatrices
from trainables.labels.words import ClassVectors, Embedded
from trainables.settings import Count, Invalid, Of, Positive, Use

DEMO_SIZE = 64


class WordMatrices(LabelMatrices):
    """The vectors of the class names as they are, or in a `shape` of as many numbers.

    With `highest` the least number of all classes becomes 0, and the largest that. GloVe's 50
    numbers are the paper's as they are; of several words its code takes the first, here `combine` =
    "first". BERT's are those of three tokens, [CLS], the word and [SEP], 2,304 = 48 x 48: `Encoder`
    gives them with `pooling` = "between". They are from 0 to 80 (the public file of CIFAR-10 alone
    has -1 to 1).
    """

    def __init__(
        self,
        *,
        vectors: Annotated[Use, Of(ClassVectors)] = Use(Embedded, size=50),
        shape: tuple[Count, ...] | None = None,
        highest: Positive | None = None,
    ) -> None:
        self.vectors, self.shape, self.highest = vectors, shape, highest

    @classmethod
    def demo(cls, use: Use) -> Use:
        """Where a shape is asked for, 64 embedded numbers as a vector: not GloVe's labels."""
        if use["shape"] is None:
            return use
        return use.but(vectors=use["vectors"].demo().but(size=DEMO_SIZE), shape=None)

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        given: Tensor = self.vectors.build()(names, folder, seed)
        if self.highest is not None:
            least, most = given.aminmax()
            given = (given - least) * (self.highest / (most - least))
        if self.shape is None:
            return given
        if math.prod(self.shape) != given.shape[1]:
            valid = f"hold {given.shape[1]} numbers, as the vectors of {self.vectors.name} have"
            raise Invalid(f"{type(self).__name__}.shape = {self.shape}: must {valid}")
        return given.reshape(len(names), *self.shape)
