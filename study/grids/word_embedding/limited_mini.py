"""Word embeddings, Table 2: few images a class of mini-ImageNet, ResNet-18."""

from study.grids.grid import percent
from study.grids.printed import printed
from study.grids.word_embedding._paper import FEW, across, few, mini, table

PRINTED = printed("""
    CE                     | 13.25 ± 0.16 | 39.68 ± 0.68 | 51.79 ± 0.11
    CenterLoss             | 13.71 ± 0.26 | 40.96 ± 0.91 | 54.61 ± 0.50
    GCPL                   | 12.45 ± 0.95 | 42.03 ± 0.83 | 54.81 ± 0.73
    ProtoNet               | 13.57 ± 0.89 | 41.03 ± 1.35 | 52.00 ± 0.73
    Label smoothing        | 13.80 ± 0.23 | 42.16 ± 0.34 | 53.98 ± 0.65
    Word embedding (BERT)  | 18.31 ± 0.34 | 42.75 ± 0.18 | 54.24 ± 0.38
    Word embedding (GloVe) | 17.62 ± 0.50 | 43.37 ± 0.34 | 55.03 ± 0.61
""")

TRIALS = {str(n): few(mini, n) for n in (10, 50, 100)}

grid = table(
    title="Word embeddings, few images a class (mini-ImageNet, ResNet-18)",
    table="table2",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=FEW,
    rows={name: across(TRIALS, name, *numbers) for name, numbers in PRINTED.items()},
)
