"""What the tables of online label smoothing (Zhang et al., TIP 2021) share."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from study.grids.demo import demo
from study.grids.folders import AIRCRAFT, CARS, CUB, FLOWERS, IMAGENET
from study.grids.grid import Entry, Grid, Published
from study.grids.recipes import OLS_CIFAR, OLS_IMAGENET
from trainables.data.augments.cutout import Cutout
from trainables.data.corruptions.symmetric import Symmetric
from trainables.data.sources.cifar import Cifar10, Cifar100
from trainables.data.spec import DataSpec
from trainables.losses.distillation import Distillation
from trainables.losses.pairwise_confusion import PairwiseConfusion
from trainables.losses.sce import SymmetricCrossEntropy
from trainables.methods.arazo import Arazo
from trainables.methods.byot import BYOT
from trainables.methods.distortion import DistortionDistillation
from trainables.methods.pencil import PENCIL
from trainables.methods.self_learning import SelfLearning
from trainables.nets.resnet import CifarResNet
from trainables.nets.torchvision_nets import MobileNetV2, ResNet50
from trainables.settings import Use
from trainables.targets.bootstrap import Boothard, Bootsoft
from trainables.targets.disturb import Disturb
from trainables.targets.online import Online
from trainables.targets.self_distilled import SelfDistilled
from trainables.targets.smooth import Smooth
from trainables.targets.teacher_free import TeacherFree
from trainables.trial import Trial

# All training images, and the test error of the best epoch: the protocol of the public script.
cifar10 = DataSpec(source=Use(Cifar10, constants="ols"), validation=0.0)
cifar100 = DataSpec(source=Use(Cifar100, constants="ols"), validation=0.0)


def resnet(depth: int) -> Use:
    """The paper's ResNet-29, -56, -74 or -110, as in the public script: bottlenecks, shortcut B."""
    return Use(CifarResNet, depth=depth, block="bottleneck", shortcut="B", init="fan_out")


base = Trial(data=cifar100, net=resnet(56), recipe=OLS_CIFAR)
base10 = Trial(data=cifar10, net=resnet(29), recipe=OLS_CIFAR)

LAST_EPOCH = "what is measured besides the test error is of the last epoch"
ASSUMED = (
    "of the public script: what is assumed of the recipe, pixel statistics, how the weights start",
    "at paper scale no validation images, and the test error of the best test epoch, as in the "
    "public script",
    LAST_EPOCH,
)
LOG_ZERO = math.log(1e-4)  # the public script clamps labels there; SCE's own paper has -4


def noisy(rate: float) -> DataSpec:
    """CIFAR-100 with so many labels wrong, drawn uniformly from the other classes."""
    return cifar100.but(corrupt=(Use(Symmetric, rate=rate),) if rate else ())


FINE_GRAINED = {"CUB-200-2011": CUB, "Flowers-102": FLOWERS, "Cars": CARS, "Aircraft": AIRCRAFT}
imagenet = Trial(
    data=DataSpec(source=IMAGENET, validation=0.0), net=Use(ResNet50), recipe=OLS_IMAGENET
)
IMAGENET_ASSUMED = (
    "of the public script: what is assumed of the recipe; but the random crops are of the middle "
    "256 x 256 pixels of the image resized by its shorter side, not of the whole image, and not "
    "antialiased, and its colour jitter and lighting are left out",
    "at paper scale the test error is that of the best epoch on ImageNet's validation images",
    LAST_EPOCH,
)

# The parts of each method by its printed name, with the constants of the public script or, where it
# lacks the method, of the method's own paper.
METHODS: dict[str, dict[str, Any]] = {
    "Hard label": {},
    "Bootsoft": {"targets": Use(Bootsoft)},
    "Boothard": {"targets": Use(Boothard)},
    "Disturb label": {"targets": Use(Disturb)},
    "SCE": {"loss": Use(SymmetricCrossEntropy, log_zero=LOG_ZERO)},
    "SCE, CIFAR-10": {"loss": Use(SymmetricCrossEntropy, alpha=0.1, beta=1, log_zero=LOG_ZERO)},
    "Label smoothing": {"targets": Use(Smooth)},
    "Pairwise confusion": {"loss": Use(PairwiseConfusion)},
    "Xu et al.": {"method": Use(DistortionDistillation)},
    "BYOT": {"method": Use(BYOT)},
    "Arazo et al.": {"method": Use(Arazo)},
    "PENCIL": {
        "method": Use(PENCIL),
        "recipe": OLS_CIFAR.but(
            lr=0.06,
            schedule="constant",
            milestones=(),
            paper="PENCIL's public code",
            assumed=("lr", "schedule"),  # the rest as all rows
        ),
    },
    "Han et al.": {"method": Use(SelfLearning)},
    "OLS": {"targets": Use(Online)},
}


SCE_CLAMP = "log 0 = log 1e-4 (in its own paper -4), but its cross-entropy without that clamp"
# What the paper calls the methods' "original settings".
CONSTANTS = {
    "Bootsoft": "Bootsoft with beta 0.95",
    "Boothard": "Boothard with beta 0.8",
    "Disturb label": "Disturb label with rate 0.1",
    "SCE": f"SCE with alpha 6, beta 0.1 and {SCE_CLAMP}",
    "SCE, CIFAR-10": f"SCE with alpha 0.1, beta 1 and {SCE_CLAMP}",
}


def constants(*names: str) -> str:
    """Those of the methods by their printed names, for a grid's `assumed`."""
    return f"as in the public script: {', '.join(CONSTANTS[name] for name in names)}"


def method(name: str) -> dict[str, Any]:
    """The parts of a method by its printed name; "A + B" has those of both."""
    return {kind: use for one in name.split(" + ") for kind, use in METHODS[one].items()}


def across(trials: Mapping[str, Trial], name: str, *published: Published) -> dict[str, Entry]:
    """A row: each column's trial with that method; without numbers none is published."""
    numbers = published or (None,) * len(trials)
    pairs = zip(trials.items(), numbers, strict=True)
    return {column: (trial.but(**method(name)), number) for (column, trial), number in pairs}


def tf_kd(trial: Trial) -> dict[str, Any]:
    """Tf-KD reg as in the public fine-grained script, whose KL is a mean over the classes too."""
    temperature = 40 if trial.net.part is MobileNetV2 else 6
    factor = 1 / trial.data.source.build().classes
    loss = {"alpha": 0.95, "temperature": temperature, "factor": factor, "soften_net": False}
    return {
        "targets": Use(TeacherFree, logits="probabilities"),
        "loss": Use(Distillation, **loss),
    }


def tf_kd_self(trial: Trial) -> dict[str, Any]:
    """Tf-KD self with its authors' constants for CIFAR-100: T^2, and their KL is such a mean."""
    temperature = 20 if trial.net.part is MobileNetV2 else 6
    factor = temperature**2 / trial.data.source.build().classes
    return {
        "targets": Use(SelfDistilled),
        "loss": Use(Distillation, alpha=0.95, temperature=temperature, factor=factor),
    }


def with_cutout(trial: Trial) -> Trial:
    """A hole of 112 pixels, half the side, in every image."""
    recipe = trial.recipe
    return trial.but(
        recipe=recipe.but(
            augment=(*recipe.augment, Use(Cutout, side=112)),
            # It is not of the public script, as the recipe's augmentation is: the grid says so.
            assumed=tuple(name for name in recipe.assumed if name != "augment"),
        )
    )


# Found on validation images: from scratch and with small batches the rates are best quartered.
ols_demo = partial(demo, rate=0.25)
table = partial(Grid, paper="ols", baseline="Hard label", selection="oracle", demo=ols_demo)
