"""OLS, Fig. 7b: how often soft labels are renewed; the report's figure of effects is the curve."""

from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, base, resnet, table
from trainables.settings import Use
from trainables.targets.online import Online

EPOCH = 391  # iterations: 390 batches of 128 images and one of 80
PERIODS = {
    **{f"{n} iterations": n for n in (1, 50, 100, 200)},
    "one epoch": EPOCH,
    **{f"{n} epochs": n * EPOCH for n in (2, 5, 10)},
}

grid = table(
    title="OLS, period after which the soft labels are renewed (CIFAR-100, ResNet-29)",
    table="fig7b",
    columns={"top-1 error": error("test.accuracy")},
    baseline="one epoch",
    assumed=(*ASSUMED, "CIFAR-100, and which periods: the curve has no numbers"),
    fixed=dict.fromkeys(PERIODS, ("targets.period", "targets.unit")),
    rows={
        row: (
            base.but(net=resnet(29), targets=Use(Online, period=period, unit="iterations")),
            None,
        )
        for row, period in PERIODS.items()
    },
)
