"""Word embeddings, Table 4: long tails of CIFAR-10."""

from study.grids.word_embedding._imbalanced import imbalanced
from study.grids.word_embedding._paper import cifar10

grid = imbalanced(
    cifar10,
    "CIFAR-10",
    "table4",
    """
CE                                | 71.20 | 92.73 | 72.63 | 55.20 | 87.35 | 94.17 | 85.23 | 85.08
Resample                          | 70.64 | 92.23 | 70.30 | 53.27 | 87.92 | 94.67 | 84.40 | 85.20
Reweight                          | 70.39 | 90.50 | 69.90 | 55.67 | 87.61 | 94.20 | 84.50 | 85.50
Word embedding (GloVe)            | 72.13 | 93.27 | 73.33 | 55.38 | 88.21 | 95.00 | 84.93 | 85.58
LDAM                              | 76.48 | 93.70 | 76.50 | 63.55 | 88.80 | 94.27 | 85.27 | 87.35
LDAM + Word embedding (GloVe)     | 77.30 | 93.93 | 76.73 | 65.25 | 89.17 | 95.13 | 85.93 | 87.55
CB focal                          | 74.10 | 93.37 | 74.80 | 59.12 | 88.88 | 93.33 | 85.37 | 88.17
CB focal + Word embedding (GloVe) | 74.63 | 93.19 | 75.53 | 60.06 | 89.19 | 93.70 | 86.53 | 87.05
""",
)
