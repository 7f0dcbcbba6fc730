"""OLS, Fig. 3: t-SNE of the penultimate features; CIFAR-100, ResNet-56. It has no numbers."""

from analysis.plan import Metric
from study.grids.grid import Entry, Grid, error
from study.grids.ols._paper import ASSUMED, base, method, ols_demo
from trainables.measures.separation import Separation
from trainables.settings import Use

# Half of the test images, about fifty of each class.
COLUMNS = {
    "top-1 error": error("test.accuracy"),
    "silhouette": Metric("silhouette", "", measure=Use(Separation, images=5000)),
}


def across(name: str) -> dict[str, Entry]:
    """A row: one trial, its error and how far apart its classes are."""
    return dict.fromkeys(COLUMNS, (base.but(**method(name)), None))


grid = Grid(
    title="OLS, t-SNE of the features (CIFAR-100, ResNet-56)",
    paper="ols",
    table="fig3",
    columns=COLUMNS,
    baseline="Hard label",
    selection="oracle",
    assumed=(
        *ASSUMED,
        "the first 5,000 test images, perplexity 30, and the first 10 classes drawn of all 100: "
        "the paper says nothing of these",
        "the silhouette, for a number to the figure: the paper has none",
    ),
    demo=ols_demo,
    rows={name: across(name) for name in ("Hard label", "Label smoothing", "OLS")},
)
