"""OLS, Table VIII: attacked images; CIFAR-10, ResNet-29."""

from functools import partial

from analysis.plan import Metric
from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, across, base10, constants, table
from trainables.measures.attack import Fgsm, Pgd
from trainables.settings import Use

COLUMNS: dict[str, Metric] = {
    "clean": error("test.accuracy"),
    "FGSM": error("accuracy", Use(Fgsm, eps=8 / 255)),
    "PGD": error("accuracy", Use(Pgd, eps=8 / 255)),
}

row = partial(across, dict.fromkeys(COLUMNS, base10))

grid = table(
    title="OLS, adversarial attacks (CIFAR-10, ResNet-29)",
    table="table8",
    columns=COLUMNS,
    assumed=(
        *ASSUMED,
        constants("Bootsoft", "Boothard", "SCE, CIFAR-10"),
        "PGD with steps of 2/255 and a random start",
    ),
    rows={
        "Hard label": row("Hard label", 7.18, 82.46, 93.18),
        "Bootsoft": row("Bootsoft", 6.91, 79.83, 92.57),
        "Boothard": row("Boothard", 7.73, 82.68, 90.01),
        "SCE": row("SCE, CIFAR-10", 8.66, 77.68, 93.96),
        "Label smoothing": row("Label smoothing", 6.81, 79.48, 87.32),
        "OLS": row("OLS", 6.46, 60.39, 76.29),
    },
)
