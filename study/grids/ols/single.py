"""OLS, section V-E: the prediction of one image of the class as soft label; CIFAR-100."""

from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, base, method, table
from trainables.settings import Use
from trainables.targets.online_single import OnlineSingle

grid = table(
    title="OLS and OLS-Single (CIFAR-100, ResNet-56)",
    table="single",
    columns={"top-1 error": error("test.accuracy")},
    assumed=(
        *ASSUMED,
        "OLS-Single with OLS's alpha 0.5",
        "the text's two numbers are lost: OLS is better by about 1 %",
    ),
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
