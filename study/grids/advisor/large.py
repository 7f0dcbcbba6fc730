"""Advisor networks, Table 4: ImageNet-LT with ResNet-10, Places-LT with ResNet-152."""

from study.grids.advisor._large import (
    FROM_THE_START,
    IMAGENET_LT,
    PLACES_LT,
    PROTOCOL,
    large_table,
)
from study.grids.advisor._methods import with_method
from study.grids.grid import Entry, Published, percent
from study.grids.printed import printed
from study.grids.recipes import ADVISOR_IMAGENET_LT, ADVISOR_PLACES_LT
from trainables.measures.top_k import TopK
from trainables.nets.torchvision_nets import ResNet10, ResNet152
from trainables.settings import Use
from trainables.trial import Trial

SETS = {
    "ImageNet-LT": Trial(data=IMAGENET_LT, net=Use(ResNet10), recipe=ADVISOR_IMAGENET_LT),
    "Places-LT": Trial(
        data=PLACES_LT, net=Use(ResNet152, weights="imagenet"), recipe=ADVISOR_PLACES_LT
    ),
}
KINDS = {
    "top-1": percent("test.accuracy"),
    "top-3": percent("accuracy", measure=Use(TopK, k=3)),
    "top-5": percent("accuracy", measure=Use(TopK, k=5)),
}
COLUMNS = {f"{name}, {kind}": metric for name in SETS for kind, metric in KINDS.items()}
RARE = {"ImageNet-LT": 4.3e-4, "Places-LT": 8e-4}  # shares of about 50 images

PRINTED = printed("""
    Baseline (CE)     | 25.26 | 38.65 | 47.88 | 27.00 | 47.95 | 58.56
    OLTR              | 35.60 |     - |     - | 35.90 |     - |     -
    Equalization loss | 36.44 |     - |     - |     - |     - |     -
    cRT               |     - |     - |     - | 36.70 |     - |     -
    LWS               | 41.40 |     - |     - | 37.60 |     - |     -
    BALMS             | 41.80 |     - |     - | 38.70 |     - |     -
    MFRW-MES          | 41.78 | 59.87 | 67.25 |     - | 61.20 | 71.09
""")


def trial(column: str, name: str) -> Trial | None:
    """The data set's trial by the method of that name."""
    place = column.partition(",")[0]
    found = with_method(SETS[place], name)
    if found and name == "Equalization loss":
        return found.set({"loss.threshold": RARE[place]})
    return found


def row(name: str, *published: Published) -> dict[str, Entry]:
    """The method on both data sets, one trial for three accuracies."""
    return {column: (trial(column, name), n) for column, n in zip(COLUMNS, published, strict=True)}


grid = large_table(
    title="Advisor networks, ImageNet-LT (ResNet-10) and Places-LT (ResNet-152)",
    table="table4",
    columns=COLUMNS,
    assumed=(
        *PROTOCOL,
        FROM_THE_START,
        "10 clean images of each class out of the validation list's 20, in every row; at demo "
        "scale 4",
        "ResNet-152 starts from torchvision's ImageNet weights, and all its layers are trained",
        "Equalization loss: classes of fewer than about 50 images count as rare; the last tenth of "
        "the epochs is the second stage of cRT and LWS, the last 2/15 that of BALMS, with a cosine "
        "of its own",
        "RCB, whose numbers lost their columns (29.9, 54.82, 30.8), is left out",
        "at demo scale the tails have IF 256 and 400 (the paper: 256 and 996), eased, and the "
        "learning rate of the tables on CIFAR",
    ),
    rows={name: row(name, *numbers) for name, numbers in PRINTED.items()},
)
