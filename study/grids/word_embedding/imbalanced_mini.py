"""Word embeddings, Table 6: long tails of mini-ImageNet."""

from study.grids.word_embedding._imbalanced import imbalanced
from study.grids.word_embedding._paper import mini

grid = imbalanced(
    mini,
    "mini-ImageNet",
    "table6",
    """
CE                                | 50.92 | 79.88 | 50.70 | 23.03 | 70.04 | 83.06 | 69.61 | 57.82
Resample                          | 46.25 | 77.18 | 45.15 | 20.12 | 68.99 | 82.70 | 69.03 | 55.65
Reweight                          | 47.44 | 78.65 | 48.54 | 23.09 | 69.20 | 81.97 | 68.82 | 57.18
Word embedding (GloVe)            | 51.80 | 80.03 | 52.67 | 23.56 | 71.35 | 84.88 | 72.45 | 59.29
LDAM                              | 52.20 | 79.36 | 52.12 | 25.91 | 70.50 | 81.15 | 70.42 | 58.94
LDAM + Word embedding (GloVe)     | 52.41 | 79.39 | 52.97 | 26.41 | 71.12 | 82.76 | 71.12 | 58.82
CB focal                          | 51.66 | 80.03 | 51.97 | 24.47 | 69.08 | 79.70 | 69.21 | 58.65
CB focal + Word embedding (GloVe) | 51.83 | 79.79 | 51.20 | 26.18 | 70.20 | 80.73 | 70.06 | 59.59
""",
)
