"""KESL on general images: mini-ImageNet and small-ImageNet, hierarchy from WordNet."""

from study.grids.grid import Grid
from study.grids.kesl._paper import ACCURACY, ASSUMED, kesl, kesl_demo
from study.grids.recipes import KESL_GENERAL
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.spec import DataSpec
from trainables.nets.torchvision_nets import ResNet50
from trainables.settings import Use
from trainables.trial import Trial

accuracy = ACCURACY["accuracy"]
# All 100 classes with 500 training images each: the few-shot split has disjoint classes.
mini = Use(
    ImageFolder,
    path="mini-imagenet",
    side=84,
    resize=96,
    classes=100,
    images=50_000,
    test_images=10_000,
    turn=4,
)
small = Use(
    ImageFolder,
    path="small-imagenet",
    side=64,
    resize=72,
    classes=200,
    images=100_000,
    test_images=10_000,
    turn=5,
)


def on(source: Use) -> Trial:
    data = DataSpec(source=source, validation=0.0)
    return Trial(data=data, net=Use(ResNet50), recipe=KESL_GENERAL)


grid = Grid(
    title="KESL on general images",
    paper="kesl",
    table="general",
    columns={"Baseline": accuracy, "KESL": accuracy},
    baseline="Baseline",
    selection="last",
    assumed=(
        "recipe as for the fine-grained tables; no ImageNet weights: both sets are parts of it",
        "ResNet-50; mini-ImageNet with 100 classes at 84 pixels, 500 training images a class; "
        "small-ImageNet with 200 classes at 64 pixels, 500 training images a class",
        *ASSUMED[1:],
        "KESL at the ablation's best row: T 2, alpha 1, beta 0.1",
    ),
    demo=kesl_demo,
    rows={
        "mini-ImageNet": {
            "Baseline": (on(mini), 78.4),
            "KESL": (on(mini).but(**kesl(hierarchy="wordnet")), 81.0),
        },
        "small-ImageNet": {
            "Baseline": (on(small), 80.1),
            "KESL": (on(small).but(**kesl(hierarchy="wordnet")), 80.6),
        },
    },
)
