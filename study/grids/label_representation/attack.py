"""Label representations: accuracy under attack, on images that were right before; CIFAR."""

from study.grids.grid import Entry, percent
from study.grids.label_representation._paper import ASSUMED, ROWS, SETS, labelled, table, trial
from trainables.measures.label_attack import LabelAttack
from trainables.settings import Use

ATTACKS = {
    "FGSM": Use(LabelAttack),
    "iterative": Use(LabelAttack, steps=5),
    "targeted FGSM": Use(LabelAttack, target="next"),
    "targeted iterative": Use(LabelAttack, steps=5, target="next"),
}
EPS = (0.1, 0.2, 0.3)
SHOWN = {**{f"eps {eps:g}": f"accuracy at {eps:g}" for eps in EPS}, "mean": "accuracy"}
PLACES = [(data, attack, shown) for data in SETS for attack in ATTACKS for shown in SHOWN]


def row(name: str) -> dict[str, Entry]:
    """Every attack on both data sets."""
    return {
        f"{data}, {attack}, {shown}": (labelled(trial(data, "ResNet-32"), name), None)
        for data, attack, shown in PLACES
    }


grid = table(
    title="Label representations, attacks (CIFAR, ResNet-32)",
    table="attack",
    columns={
        f"{data}, {attack}, {shown}": percent(SHOWN[shown], measure=ATTACKS[attack])
        for data, attack, shown in PLACES
    },
    assumed=(
        *ASSUMED,
        "ResNet-32; eps in standard deviations of the pixels, not clipped; the iterative attack "
        "has 5 steps of eps / 5; a targeted one aims at the next class; mean: over eps 0.05 to 0.3",
    ),
    rows={name: row(name) for name in ROWS},
)
