"""OLS, Table VI: four fine-grained sets. Its cells are lost; only the last row survives."""

from study.grid import Entry, Grid, Metric, error
from study.grids._ols import FINE_GRAINED, method, ols_demo, tf_kd
from trainables.nets.torchvision_nets import MobileNetV2, ResNet50
from trainables.recipes import OLS_FINE_GRAINED
from trainables.settings import Use
from trainables.trial import DataSpec, Trial

TRIALS = {
    f"{name}, {net}": Trial(
        data=DataSpec(source=source, validation=0.0),
        net=Use(kind, weights="imagenet"),
        recipe=OLS_FINE_GRAINED,
    )
    for name, source in FINE_GRAINED.items()
    for net, kind in {"ResNet-50": ResNet50, "MobileNetV2": MobileNetV2}.items()
}
# The surviving row: mean reductions over four sets and four nets.
SURVIVING = ("mean reduction, top-1", "mean reduction, top-5")


def across(name: str, *published: float) -> dict[str, Entry]:
    """A row: the method on each set and net, and what survives of the table."""
    trials: dict[str, Entry] = {}
    for column, trial in TRIALS.items():
        parts = tf_kd(trial) if name == "Tf-KD" else method(name)
        trials[column] = trial.but(**parts), None
    lost: dict[str, Entry] = {
        column: (None, number) for column, number in zip(SURVIVING, published, strict=False)
    }
    return trials | lost


grid = Grid(
    title="OLS, fine-grained images",
    paper="ols",
    table="table6",
    columns={
        **dict.fromkeys(TRIALS, error("test.accuracy")),
        **dict.fromkeys(SURVIVING, Metric("test.accuracy", "points")),
    },
    baseline="Hard label",
    selection="oracle",
    assumed=(
        "of the public script: what is assumed of the recipe, ImageNet weights, images squashed to "
        "256 x 256 pixels and cropped to 224; the test error is that of the best epoch",
        "EfficientNet-b7 and SAN-15, the other two nets, are not run: all cells are lost",
        "Tf-KD reg as in the public script: T 6, of MobileNetV2 40; Tf-KD self is not in the "
        "table, its constants are those of its authors' code for CIFAR-100",
        "OLS as in the paper: the public script doubles its loss here, and renews no soft label "
        "whose largest probability has reached 0.88",
        "100 classes of aircraft: the 90 of the paper's Table V are of no published variant",
    ),
    demo=ols_demo,
    rows={
        "Hard label": across("Hard label", 0.0, 0.0),
        "Label smoothing": across("Label smoothing", 1.11, 0.02),
        "Tf-KD": across("Tf-KD", 0.44, 0.19),
        "Tf-KD self": across("Tf-KD self"),
        "OLS": across("OLS", 2.0, 0.96),
    },
)
