"""OLS, Table VI: four fine-grained sets. Its cells are lost; only the last row survives."""

from analysis.plan import Metric
from study.grids.grid import Entry, error
from study.grids.ols._paper import FINE_GRAINED, LAST_EPOCH, method, table, tf_kd, tf_kd_self
from study.grids.recipes import OLS_FINE_GRAINED
from trainables.data.spec import DataSpec
from trainables.measures.top_k import TopK
from trainables.nets.torchvision_nets import MobileNetV2, ResNet50
from trainables.settings import Use
from trainables.trial import Trial

TRIALS = {
    f"{name}, {net}": Trial(
        data=DataSpec(source=source, validation=0.0),
        net=Use(kind, weights="imagenet"),
        recipe=OLS_FINE_GRAINED,
    )
    for name, source in FINE_GRAINED.items()
    for net, kind in {"ResNet-50": ResNet50, "MobileNetV2": MobileNetV2}.items()
}
KINDS = {"top-1": error("test.accuracy"), "top-5": error("accuracy", Use(TopK, k=5))}
COLUMNS = {f"{place}, {kind}": metric for place in TRIALS for kind, metric in KINDS.items()}
# The surviving row: mean reductions over four sets and four nets.
SURVIVING = tuple(f"mean reduction, {kind}" for kind in KINDS)
# The same of the nets that are run, from the frame that `analysis.comparison.compare` gives.
REDUCTIONS = (
    '-cells.groupby(["row", cells["column"].str[-5:]], sort=False)["gain"].mean().unstack()'
)


def row(name: str, *published: float) -> dict[str, Entry]:
    """The method on each set and net, and what survives of the table."""
    by_net = {"Tf-KD": tf_kd, "Tf-KD self": tf_kd_self}
    cells: dict[str, Entry] = {}
    for place, trial in TRIALS.items():
        now = trial.but(**(by_net[name](trial) if name in by_net else method(name)))
        cells |= {f"{place}, {kind}": (now, None) for kind in KINDS}
    lost: dict[str, Entry] = {
        column: (None, number) for column, number in zip(SURVIVING, published, strict=False)
    }
    return cells | lost


grid = table(
    title="OLS, fine-grained images",
    table="table6",
    columns={**COLUMNS, **dict.fromkeys(SURVIVING, Metric("test.accuracy", "points"))},
    assumed=(
        "of the public script: what is assumed of the recipe, ImageNet weights, images squashed to "
        "256 x 256 pixels and cropped to 224",
        "at paper scale the test error is that of the best epoch",
        LAST_EPOCH,
        "EfficientNet-b7 and SAN-15, the other two nets, are not run: all cells are lost",
        "the mean reductions of ours, over the two nets that are run, are no cells: with `cells = "
        f"comparison.compare(plan, trials)` they are `{REDUCTIONS}`",
        "Tf-KD reg as in the public script: T 6, of MobileNetV2 40",
        "Tf-KD self, which is not in the table, with alpha 0.95, T 6, of MobileNetV2 20, as in its "
        "authors' code for these nets on CIFAR-100, and KL times T^2 over the data's classes, as "
        "that code computes it; its further factor is 1, which it does not give for ResNet-50",
        "OLS as in the paper: the public script doubles its loss here, and renews no soft label "
        "whose largest probability has reached 0.88",
        "100 classes of aircraft: the 90 of the paper's Table V are of no published variant",
    ),
    rows={
        "Hard label": row("Hard label", 0.0, 0.0),
        "Label smoothing": row("Label smoothing", 1.11, 0.02),
        "Tf-KD": row("Tf-KD", 0.44, 0.19),
        "Tf-KD self": row("Tf-KD self"),
        "OLS": row("OLS", 2.0, 0.96),
    },
)
