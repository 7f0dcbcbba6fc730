"""Advisor networks, Fig. 3: accuracy by how many parameters the net has, CIFAR at IF 100."""

from study.grids.advisor._methods import BASELINE, with_method
from study.grids.advisor._paper import ASSUMED, RESNET32, SETS, table, tail_trial, tailed
from study.grids.grid import percent
from trainables.nets.torchvision_nets import ResNet18
from trainables.settings import Use

FACTOR = 100
NETS = {  # with the parameters of the net alone, in millions
    "ResNet-20 (0.27 M)": RESNET32.but(depth=20),
    "ResNet-32 (0.46 M)": RESNET32,
    "ResNet-56 (0.85 M)": RESNET32.but(depth=56),
    "ResNet-18 (11.17 M)": Use(ResNet18),
}
TRIALS = {
    f"{name}, {net}": tail_trial(tailed(name, FACTOR), use)
    for name in SETS
    for net, use in NETS.items()
}

grid = table(
    title="Advisor networks, size of the net (CIFAR, IF 100)",
    table="fig3",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(
        *ASSUMED,
        "the figure's points could not be read, so none is published, nor which nets they are of: "
        "those of tables 1 and 3, and two more of CIFAR's",
    ),
    rows={
        name: {column: (with_method(trial, name), None) for column, trial in TRIALS.items()}
        for name in (BASELINE, "BALMS", "MFRW-MES")
    },
)
