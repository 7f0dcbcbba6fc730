"""OLS, Table XII: how far from people's labels; CIFAR-10 and CIFAR-10H, ResNet-29."""

from functools import partial

from analysis.plan import Metric
from study.grids.grid import Grid, error
from study.grids.ols._paper import ASSUMED, base10, constants, ols_demo, row
from trainables.measures.human_kl import HumanKL
from trainables.settings import Use

COLUMNS = {
    "top-1 error": error("test.accuracy"),
    "KL to human labels": Metric("kl", "nats", better="lower", measure=Use(HumanKL)),
}

across = partial(row, base10, COLUMNS)

grid = Grid(
    title="OLS, divergence from human labels (CIFAR-10, ResNet-29)",
    paper="ols",
    table="table12",
    columns=COLUMNS,
    baseline="Hard label",
    selection="oracle",
    assumed=(*ASSUMED, constants("Bootsoft", "Boothard", "SCE, CIFAR-10")),
    demo=ols_demo,
    rows={
        "Hard label": across("Hard label", 7.18, 0.2974),
        "Bootsoft": across("Bootsoft", 6.91, 0.3247),
        "Boothard": across("Boothard", 7.73, 0.3188),
        "SCE": across("SCE, CIFAR-10", 8.66, 0.5563),
        "Label smoothing": across("Label smoothing", 6.81, 0.1866),
        "OLS": across("OLS", 6.46, 0.1399),
    },
)
