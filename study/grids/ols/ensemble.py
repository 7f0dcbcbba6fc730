"""OLS, Table III: the average over models of evenly spaced epochs; CIFAR-100, ResNet-56."""

from functools import partial

from analysis.plan import Metric
from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, across, base, table
from trainables.measures.ensemble import Ensemble
from trainables.settings import Use

MEMBERS = (6, 10, 15, 20)
COLUMNS: dict[str, Metric] = {
    "1 model": error("test.accuracy"),
    **{f"{n} models": error("accuracy", Use(Ensemble, members=n)) for n in MEMBERS},
}
kept = base.but(recipe=base.recipe.but(keep=60))  # of which 6, 10, 15 and 20 are evenly spaced

row = partial(across, dict.fromkeys(COLUMNS, kept))

grid = table(
    title="OLS, ensembles of one training's epochs (CIFAR-100, ResNet-56)",
    table="table3",
    columns=COLUMNS,
    assumed=(*ASSUMED, "the average is of probabilities"),
    rows={
        "Hard label": row("Hard label", 26.41, 26.07, 25.93, 25.87, 25.88),
        "Label smoothing": row("Label smoothing", 26.37, 25.3, 25.11, 24.97, 24.96),
        "OLS": row("OLS", 25.27, 24.52, 24.22, 24.1, 23.91),
    },
)
