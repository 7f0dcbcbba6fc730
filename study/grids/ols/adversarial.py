"""OLS, Table VIII: attacked images; CIFAR-10, ResNet-29."""

from functools import partial

from analysis.plan import Metric
from study.grids.grid import Grid, error
from study.grids.ols._paper import ASSUMED, base10, constants, ols_demo, row
from trainables.measures.attack import Fgsm, Pgd
from trainables.settings import Use

COLUMNS: dict[str, Metric] = {
    "clean": error("test.accuracy"),
    "FGSM": error("accuracy", Use(Fgsm, eps=8 / 255)),
    "PGD": error("accuracy", Use(Pgd, eps=8 / 255)),
}

across = partial(row, base10, COLUMNS)

grid = Grid(
    title="OLS, adversarial attacks (CIFAR-10, ResNet-29)",
    paper="ols",
    table="table8",
    columns=COLUMNS,
    baseline="Hard label",
    selection="oracle",
    assumed=(
        *ASSUMED,
        constants("Bootsoft", "Boothard", "SCE, CIFAR-10"),
        "PGD with steps of 2/255 and a random start",
    ),
    demo=ols_demo,
    rows={
        "Hard label": across("Hard label", 7.18, 82.46, 93.18),
        "Bootsoft": across("Bootsoft", 6.91, 79.83, 92.57),
        "Boothard": across("Boothard", 7.73, 82.68, 90.01),
        "SCE": across("SCE, CIFAR-10", 8.66, 77.68, 93.96),
        "Label smoothing": across("Label smoothing", 6.81, 79.48, 87.32),
        "OLS": across("OLS", 6.46, 60.39, 76.29),
    },
)
