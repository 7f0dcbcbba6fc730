"""Label representations: learning curves, CIFAR-10 and CIFAR-100 with ResNet-110."""

from study.grids.grid import percent
from study.grids.label_representation._paper import ASSUMED, SETS, rows_of, table, trial

TRIALS = {data: trial(data, "ResNet-110") for data in SETS}

grid = table(
    title="Label representations, learning curves (CIFAR, ResNet-110)",
    table="curves",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(*ASSUMED, "ResNet-110, whose features another figure shows"),
    rows=rows_of(TRIALS),
)
