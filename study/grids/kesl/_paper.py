"""What the tables of the KESL poster (Yuan et al., ICPR 2020) share."""

from functools import partial
from typing import Any

from study.grids.demo import demo
from study.grids.folders import CUB_448
from study.grids.grid import Grid, percent
from study.grids.recipes import KESL_CUB
from trainables.data.spec import DataSpec
from trainables.losses.knowledge import KnowledgeLoss
from trainables.nets.torchvision_nets import ResNet50
from trainables.settings import Use
from trainables.targets.knowledge import Knowledge
from trainables.trial import Trial

ACCURACY = {"accuracy": percent("test.accuracy")}

# The poster's protocol as far as it is known: all 5,994 training images, none for validation.
cub = DataSpec(source=CUB_448, validation=0.0)
base = Trial(data=cub, net=Use(ResNet50, weights="imagenet"), recipe=KESL_CUB)

ASSUMED = (
    "ImageNet weights, images of 448 pixels",
    "L_KL read as KL(p || g), with p the network's softmax",
    "reported after the last epoch, three seeds",
)

# Found on validation images: from scratch and with small batches the rates are best halved.
kesl_demo = partial(demo, rate=0.5)
table = partial(Grid, paper="kesl", selection="last", demo=kesl_demo)
BEST_ROW = "KESL at the ablation's best row: T 2, alpha 1, beta 0.1"


def kesl(
    temperature: float = 2, alpha: float = 1, beta: float = 0.1, hierarchy: str = "cub-taxonomy.txt"
) -> dict[str, Any]:
    """The parts of KESL with the poster's lambda; by default its best row."""
    return {
        "targets": Use(Knowledge, hierarchy=hierarchy, decay=0.5, temperature=temperature),
        "loss": Use(KnowledgeLoss, alpha=alpha, beta=beta),
    }
