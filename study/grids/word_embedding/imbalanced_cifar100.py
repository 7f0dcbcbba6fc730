"""Word embeddings, Table 5: long tails of CIFAR-100."""

from study.grids.word_embedding._imbalanced import imbalanced
from study.grids.word_embedding._paper import cifar100

grid = imbalanced(
    cifar100,
    "CIFAR-100",
    "table5",
    """
CE                                | 39.85 | 67.79 | 38.97 | 13.59 | 56.97 | 71.97 | 58.67 | 41.97
Resample                          | 35.26 | 66.45 | 36.97 | 13.03 | 55.78 | 70.45 | 57.58 | 39.79
Reweight                          | 39.56 | 67.58 | 38.79 | 13.85 | 56.19 | 68.85 | 58.09 | 42.05
Word embedding (GloVe)            | 41.81 | 69.36 | 41.33 | 15.53 | 60.35 | 73.48 | 61.24 | 46.74
LDAM                              | 42.04 | 69.94 | 42.03 | 14.97 | 60.14 | 72.91 | 60.33 | 47.56
LDAM + Word embedding (GloVe)     | 42.49 | 69.85 | 43.58 | 14.88 | 60.29 | 73.45 | 60.82 | 46.91
CB focal                          | 39.85 | 67.79 | 38.97 | 13.59 | 57.85 | 70.06 | 58.52 | 45.35
CB focal + Word embedding (GloVe) | 42.87 | 70.94 | 42.06 | 16.41 | 62.05 | 75.33 | 62.06 | 49.15
""",
)
