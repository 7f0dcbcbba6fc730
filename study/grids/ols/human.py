"""OLS, Table XII: how far from people's labels; CIFAR-10 and CIFAR-10H, ResNet-29."""

from functools import partial

from analysis.plan import Metric
from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, across, base10, constants, table
from trainables.measures.human_kl import HumanKL
from trainables.settings import Use

COLUMNS = {
    "top-1 error": error("test.accuracy"),
    "KL to human labels": Metric("kl", "nats", better="lower", measure=Use(HumanKL)),
}

row = partial(across, dict.fromkeys(COLUMNS, base10))

grid = table(
    title="OLS, divergence from human labels (CIFAR-10, ResNet-29)",
    table="table12",
    columns=COLUMNS,
    assumed=(*ASSUMED, constants("Bootsoft", "Boothard", "SCE, CIFAR-10")),
    rows={
        "Hard label": row("Hard label", 7.18, 0.2974),
        "Bootsoft": row("Bootsoft", 6.91, 0.3247),
        "Boothard": row("Boothard", 7.73, 0.3188),
        "SCE": row("SCE, CIFAR-10", 8.66, 0.5563),
        "Label smoothing": row("Label smoothing", 6.81, 0.1866),
        "OLS": row("OLS", 6.46, 0.1399),
    },
)
