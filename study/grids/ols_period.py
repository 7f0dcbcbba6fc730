"""OLS, Fig. 7b: how often the soft labels are renewed; ResNet-29, CIFAR-100."""

from study.grid import Grid, error
from study.grids._ols import ASSUMED, base, ols_demo, resnet
from trainables.settings import Use
from trainables.targets.online import Online

small = base.but(net=resnet(29))
PERIODS = (
    *((steps, "iterations") for steps in (1, 50, 100, 200)),
    *((epochs, "epochs") for epochs in (1, 2, 5, 10)),
)

grid = Grid(
    title="OLS, period after which the soft labels are renewed (CIFAR-100, ResNet-29)",
    paper="ols",
    table="fig7b",
    columns={"top-1 error": error("test.accuracy")},
    baseline="1 epochs",
    selection="oracle",
    assumed=(*ASSUMED, "CIFAR-100, and which periods: the curve has no numbers"),
    demo=ols_demo,
    curve="targets.period",
    fixed={f"{n} {unit}": ("targets.period", "targets.unit") for n, unit in PERIODS},
    rows={
        f"{n} {unit}": (small.but(targets=Use(Online, period=n, unit=unit)), None)
        for n, unit in PERIODS
    },
)
