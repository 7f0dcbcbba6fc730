"""OLS, Table XI: calibration; CIFAR-100, three depths. Its numbers are lost."""

from analysis.plan import Metric
from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, across, base, resnet, table
from trainables.measures.calibration import Calibration
from trainables.settings import Use

KINDS = {
    "error": error("test.accuracy"),
    "ECE": Metric("ece", "", better="lower", measure=Use(Calibration)),
}
NETS = {f"ResNet-{depth}": base.but(net=resnet(depth)) for depth in (56, 74, 110)}
COLUMNS = {f"{net} {kind}": metric for net in NETS for kind, metric in KINDS.items()}
TRIALS = {f"{net} {kind}": trial for net, trial in NETS.items() for kind in KINDS}

grid = table(
    title="OLS, calibration (CIFAR-100)",
    table="table11",
    columns=COLUMNS,
    assumed=(*ASSUMED, "the table's numbers are lost"),
    rows={name: across(TRIALS, name) for name in ("Hard label", "Label smoothing", "OLS")},
)
