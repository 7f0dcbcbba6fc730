"""What the tables of online label smoothing (Zhang et al., TIP 2021) share."""

from functools import partial
from typing import Any

from study.grid import demo
from trainables.data.cifar import Cifar10, Cifar100
from trainables.data.corrupt import Symmetric
from trainables.losses.sce import SymmetricCrossEntropy
from trainables.nets.resnet import CifarResNet
from trainables.recipes import OLS_CIFAR
from trainables.settings import Use
from trainables.targets.bootstrap import Boothard, Bootsoft
from trainables.targets.online import Online
from trainables.targets.smooth import Smooth
from trainables.trial import DataSpec, Trial

# All training images, and the test error of the best epoch: the protocol of the public script.
cifar10 = DataSpec(source=Use(Cifar10), validation=0.0)
cifar100 = DataSpec(source=Use(Cifar100, constants="cifar10"), validation=0.0)


def resnet(depth: int) -> Use:
    """The paper's ResNet-29, -56, -74 or -110: bottlenecks with shortcut B."""
    return Use(CifarResNet, depth=depth, block="bottleneck", shortcut="B")


base = Trial(data=cifar100, net=resnet(56), recipe=OLS_CIFAR)

ASSUMED = (
    "Nesterov momentum, padding, and the pixel statistics of CIFAR-10, as in the public script",
    "the test error is that of the best test epoch, as in the public script; no validation images",
)

# The parts of each method, with the constants of the public script, or of the method's own paper.
HARD: dict[str, Any] = {}
BOOTSOFT: dict[str, Any] = {"targets": Use(Bootsoft)}
BOOTHARD: dict[str, Any] = {"targets": Use(Boothard)}
SMOOTH: dict[str, Any] = {"targets": Use(Smooth)}
OLS: dict[str, Any] = {"targets": Use(Online)}
SCE_10: dict[str, Any] = {"loss": Use(SymmetricCrossEntropy, alpha=0.1, beta=1)}
SCE_100: dict[str, Any] = {"loss": Use(SymmetricCrossEntropy)}


def noisy(rate: float) -> DataSpec:
    """CIFAR-100 with so many labels wrong, drawn uniformly from the other classes."""
    return cifar100.but(corrupt=(Use(Symmetric, rate=rate),) if rate else ())


# Found on validation images: from scratch and with small batches the rates are best quartered.
ols_demo = partial(demo, rate=0.25)
