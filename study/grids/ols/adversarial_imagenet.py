"""OLS, Table IX: attacked images; ImageNet, ResNet-50."""

from functools import partial

from analysis.plan import Metric
from study.grids.grid import error
from study.grids.ols._paper import IMAGENET_ASSUMED, across, constants, imagenet, table
from trainables.measures.attack import Fgsm, Pgd
from trainables.settings import Use

ATTACKS = {"FGSM": Use(Fgsm, eps=8 / 255), "PGD": Use(Pgd, eps=8 / 255)}
COLUMNS: dict[str, Metric] = {
    f"{name} {kind} error": error(value, attack)
    for name, attack in ATTACKS.items()
    for kind, value in (("top-1", "accuracy"), ("top-5", "top5_accuracy"))
}

row = partial(across, dict.fromkeys(COLUMNS, imagenet))

grid = table(
    title="OLS, adversarial attacks (ImageNet, ResNet-50)",
    table="table9",
    columns=COLUMNS,
    assumed=(
        *IMAGENET_ASSUMED,
        constants("Bootsoft"),
        "PGD with steps of 2/255 and a random start",
    ),
    rows={
        "Hard label": row("Hard label", 91.07, 66.21, 94.93, 31.82),
        "Bootsoft": row("Bootsoft", 91.29, 67.29, 94.56, 31.07),
        "Label smoothing": row("Label smoothing", 74.44, 50.63, 80.31, 24.46),
        "OLS": row("OLS", 75.79, 48.13, 74.43, 22.14),
    },
)
