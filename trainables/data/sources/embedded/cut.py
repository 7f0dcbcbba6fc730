"""Keeps scikit-learn's digits as a small file; README.md says whose they are.

`python -m trainables.data.sources.embedded.cut` writes the file that
`trainables.data.sources.digits` reads.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from trainables.data.sources.digits import EMBEDDED


def cut(path: Path = EMBEDDED) -> None:
    """Writes the images, uint8 (1797, 8, 8), and the labels, uint8 (1797,), to the path."""
    digits = load_digits()
    images, labels = (part.astype(np.uint8) for part in (digits.images, digits.target))
    np.savez_compressed(path, images=images, labels=labels)


if __name__ == "__main__":
    cut()
