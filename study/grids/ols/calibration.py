"""OLS, Table XI: calibration; CIFAR-100, three depths. Its numbers are lost."""

from analysis.plan import Metric
from study.grids.grid import Entry, Grid, error
from study.grids.ols._paper import ASSUMED, base, method, ols_demo, resnet
from trainables.measures.calibration import Calibration
from trainables.settings import Use

DEPTHS = (56, 74, 110)
COLUMNS: dict[str, Metric] = {}
for depth in DEPTHS:
    COLUMNS[f"ResNet-{depth} error"] = error("test.accuracy")
    COLUMNS[f"ResNet-{depth} ECE"] = Metric("ece", "", better="lower", measure=Use(Calibration))


def across(name: str) -> dict[str, Entry]:
    """A row: at each depth one trial, its error and its calibration."""
    trials = {depth: base.but(net=resnet(depth), **method(name)) for depth in DEPTHS}
    return {
        f"ResNet-{depth} {what}": (trial, None)
        for depth, trial in trials.items()
        for what in ("error", "ECE")
    }


grid = Grid(
    title="OLS, calibration (CIFAR-100)",
    paper="ols",
    table="table11",
    columns=COLUMNS,
    baseline="Hard label",
    selection="oracle",
    assumed=(*ASSUMED, "the table's numbers are lost"),
    demo=ols_demo,
    rows={name: across(name) for name in ("Hard label", "Label smoothing", "OLS")},
)
