"""Label representations: t-SNE of the features over training, CIFAR-10 with ResNet-110."""

from analysis.plan import Metric
from study.grids.grid import Entry, percent
from study.grids.label_representation._paper import (
    ASSUMED,
    CATEGORY,
    SPEECH,
    labelled,
    table,
    trial,
)
from trainables.measures.separation import Separation
from trainables.settings import Use

SHARES = (0.1, 0.3, 0.5, 0.7, 1.0)  # of the training
COLUMNS = {
    "accuracy": percent("test.accuracy"),
    **{
        f"silhouette at {share:.0%}": Metric("silhouette", "", measure=Use(Separation, at=share))
        for share in SHARES
    },
}
PLAIN = trial("CIFAR-10", "ResNet-110")
KEPT = PLAIN.but(recipe=PLAIN.recipe.but(keep=10))


def row(name: str) -> dict[str, Entry]:
    return dict.fromkeys(COLUMNS, (labelled(KEPT, name), None))


grid = table(
    title="Label representations, features over training (CIFAR-10, ResNet-110)",
    table="features",
    columns=COLUMNS,
    assumed=(
        *ASSUMED,
        "the first 500 test images, perplexity 30; the silhouette is not the paper's",
    ),
    rows={name: row(name) for name in (CATEGORY, SPEECH)},
)
