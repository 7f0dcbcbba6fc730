"""OLS, section V-E: the prediction of one image of the class as soft label; CIFAR-100."""

from study.grids.grid import Grid, error
from study.grids.ols._paper import ASSUMED, base, method, ols_demo
from trainables.settings import Use
from trainables.targets.online_single import OnlineSingle

grid = Grid(
    title="OLS and OLS-Single (CIFAR-100, ResNet-56)",
    paper="ols",
    table="single",
    columns={"top-1 error": error("test.accuracy")},
    baseline="Hard label",
    selection="oracle",
    assumed=(
        *ASSUMED,
        "OLS-Single with OLS's alpha 0.5",
        "the text's two numbers are lost: OLS is better by about 1 %",
    ),
    demo=ols_demo,
    fixed={"OLS-Single, current net": ("targets.source",)},
    rows={
        "Hard label": (base.but(**method("Hard label")), None),
        "OLS-Single": (base.but(targets=Use(OnlineSingle)), None),
        "OLS-Single, current net": (
            base.but(targets=Use(OnlineSingle, source="current")),
            None,
        ),
        "OLS": (base.but(**method("OLS")), None),
    },
)
