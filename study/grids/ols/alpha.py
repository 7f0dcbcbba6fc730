"""OLS, Fig. 7a: the weight of the hard label; the report's figure of effects is the curve."""

from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, base, resnet, table
from trainables.settings import Use
from trainables.targets.online import Online

small = base.but(net=resnet(29))

grid = table(
    title="OLS, weight alpha of the hard label (CIFAR-100, ResNet-29)",
    table="fig7a",
    columns={"top-1 error": error("test.accuracy")},
    baseline="alpha 1",
    assumed=(
        *ASSUMED,
        "CIFAR-100: the figure does not say which CIFAR",
        "the curve has no numbers",
    ),
    fixed={f"alpha {tenths / 10:g}": ("targets.alpha",) for tenths in range(11)},
    rows={
        f"alpha {tenths / 10:g}": (small.but(targets=Use(Online, alpha=tenths / 10)), None)
        for tenths in range(11)
    },
)
