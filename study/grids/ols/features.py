"""OLS, Fig. 3: t-SNE of the penultimate features; CIFAR-100, ResNet-56. It has no numbers."""

from analysis.plan import Metric
from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, across, base, table
from trainables.measures.separation import Separation
from trainables.settings import Use

# Half of the test images, about fifty of each class.
COLUMNS = {
    "top-1 error": error("test.accuracy"),
    "silhouette": Metric("silhouette", "", measure=Use(Separation, images=5000)),
}

grid = table(
    title="OLS, t-SNE of the features (CIFAR-100, ResNet-56)",
    table="fig3",
    columns=COLUMNS,
    assumed=(
        *ASSUMED,
        "the first 5,000 test images, perplexity 30, and the first 10 classes drawn of all 100: "
        "the paper says nothing of these",
        "the silhouette, for a number to the figure: the paper has none",
    ),
    rows={
        name: across(dict.fromkeys(COLUMNS, base), name)
        for name in ("Hard label", "Label smoothing", "OLS")
    },
)
