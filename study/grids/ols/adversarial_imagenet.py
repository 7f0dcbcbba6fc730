"""OLS, Table IX: attacked images; ImageNet, ResNet-50."""

from functools import partial

from analysis.plan import Metric
from study.grids.grid import Grid, error
from study.grids.ols._paper import IMAGENET_ASSUMED, constants, imagenet, ols_demo, row
from trainables.measures.attack import Fgsm, Pgd
from trainables.settings import Use

ATTACKS = {"FGSM": Use(Fgsm, eps=8 / 255), "PGD": Use(Pgd, eps=8 / 255)}
COLUMNS: dict[str, Metric] = {
    f"{name} {kind} error": error(value, attack)
    for name, attack in ATTACKS.items()
    for kind, value in (("top-1", "accuracy"), ("top-5", "top5_accuracy"))
}

across = partial(row, imagenet, COLUMNS)

grid = Grid(
    title="OLS, adversarial attacks (ImageNet, ResNet-50)",
    paper="ols",
    table="table9",
    columns=COLUMNS,
    baseline="Hard label",
    selection="oracle",
    assumed=(
        *IMAGENET_ASSUMED,
        constants("Bootsoft"),
        "PGD with steps of 2/255 and a random start",
    ),
    demo=ols_demo,
    rows={
        "Hard label": across("Hard label", 91.07, 66.21, 94.93, 31.82),
        "Bootsoft": across("Bootsoft", 91.29, 67.29, 94.56, 31.07),
        "Label smoothing": across("Label smoothing", 74.44, 50.63, 80.31, 24.46),
        "OLS": across("OLS", 75.79, 48.13, 74.43, 22.14),
    },
)
