"""Word embeddings, Table 1: few images a class of CIFAR-10 and CIFAR-100, ResNet-18."""

from study.grids.grid import percent
from study.grids.printed import printed
from study.grids.word_embedding._paper import FEW, across, cifar10, cifar100, few, table

PRINTED = printed("""
CE                     | 37.44±0.74 | 48.68±0.41 | 54.51±0.45 | 31.76±1.31 | 49.99±0.94 | 63.41±0.79
CenterLoss             | 35.44±0.99 | 47.17±1.45 | 59.04±1.28 | 26.49±0.40 | 50.53±0.19 | 64.61±1.16
GCPL                   | 35.38±1.18 | 48.65±0.93 | 63.25±0.52 | 27.10±1.02 | 51.38±0.40 | 64.34±0.85
ProtoNet               | 36.47±1.17 | 49.78±0.87 | 61.73±0.74 | 29.65±1.48 | 49.90±0.45 | 61.53±0.70
Label smoothing        | 35.99±1.48 | 48.80±0.85 | 63.07±0.25 | 34.04±1.21 | 52.13±0.32 | 64.44±0.92
Word embedding (BERT)  | 41.85±0.34 | 52.41±0.88 | 64.03±0.50 | 39.22±0.21 | 52.19±0.35 | 64.17±0.15
Word embedding (GloVe) | 41.74±0.57 | 51.23±0.50 | 63.56±0.56 | 39.51±0.36 | 53.06±0.36 | 64.84±0.57
""")

TRIALS = {
    f"{name}, {n}": few(trial, n)
    for name, trial in (("CIFAR-10", cifar10), ("CIFAR-100", cifar100))
    for n in (50, 100, 200)
}

grid = table(
    title="Word embeddings, few images a class (CIFAR, ResNet-18)",
    table="table1",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=FEW,
    rows={name: across(TRIALS, name, *numbers) for name, numbers in PRINTED.items()},
)
