"""KESL on general images: mini-ImageNet and small-ImageNet, hierarchy from WordNet."""

from study.grids.folders import MINI_IMAGENET, SMALL_IMAGENET
from study.grids.kesl._paper import ACCURACY, ASSUMED, BEST_ROW, kesl, table
from study.grids.recipes import KESL_GENERAL
from trainables.data.spec import DataSpec
from trainables.nets.torchvision_nets import ResNet50
from trainables.settings import Use
from trainables.trial import Trial

accuracy = ACCURACY["accuracy"]


def on(source: Use) -> Trial:
    data = DataSpec(source=source, validation=0.0)
    return Trial(data=data, net=Use(ResNet50), recipe=KESL_GENERAL)


grid = table(
    title="KESL on general images",
    table="general",
    columns={"Baseline": accuracy, "KESL": accuracy},
    baseline="Baseline",
    assumed=(
        "recipe as for the fine-grained tables; no ImageNet weights: both sets are parts of it",
        "ResNet-50; mini-ImageNet with 100 classes at 84 pixels, 500 training images a class; "
        "small-ImageNet with 200 classes at 64 pixels, 500 training images a class",
        *ASSUMED[1:],
        BEST_ROW,
    ),
    rows={
        "mini-ImageNet": {
            "Baseline": (on(MINI_IMAGENET), 78.4),
            "KESL": (on(MINI_IMAGENET).but(**kesl(hierarchy="wordnet")), 81.0),
        },
        "small-ImageNet": {
            "Baseline": (on(SMALL_IMAGENET), 80.1),
            "KESL": (on(SMALL_IMAGENET).but(**kesl(hierarchy="wordnet")), 80.6),
        },
    },
)
