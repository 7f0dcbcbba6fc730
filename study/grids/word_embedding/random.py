"""Word embeddings, Fig. 5: random vectors in place of those of words. It has no numbers."""

from study.grids.grid import percent
from study.grids.word_embedding._paper import (
    OURS,
    PROTOCOL,
    VECTORS,
    across,
    cifar100,
    few,
    long_tailed,
    table,
)

TRIALS = {f"{n} a class": few(cifar100, n) for n in (50, 100, 200)}
TRIALS |= {f"rho {rho}": long_tailed(cifar100, rho) for rho in (10, 100)}

grid = table(
    title="Word embeddings, random vectors (CIFAR-100, ResNet-18)",
    table="fig5",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(
        PROTOCOL,
        *VECTORS,
        "CIFAR-100; 300 random numbers between -1 and 1, the same in every trial: the figure says "
        "neither",
        "the figure has no numbers",
    ),
    rows={name: across(TRIALS, name) for name in ("CE", "Random vectors", OURS)},
)
