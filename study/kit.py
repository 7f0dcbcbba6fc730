"""Kit: what a grid of one's own is written with, in one import.

    from study.kit import Grid, Loss, Use, cifar100

README has a whole example; docs/own.md tells more.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from study.grids.demo import demo
from study.grids.grid import Grid, error, percent
from study.grids.recipes import OLS_CIFAR
from trainables.data.augments.augment import Augment, Crop, Flip
from trainables.data.corruptions.corrupt import Corrupt
from trainables.data.data import Batch
from trainables.data.imbalances.imbalance import Imbalance
from trainables.data.samplers.sampler import Sampler
from trainables.data.sources.cifar import Cifar10, Cifar100
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.sources.source import Source
from trainables.data.spec import DataSpec
from trainables.heads.head import Head
from trainables.labels.words import ClassVectors
from trainables.losses.loss import Loss
from trainables.measures.measure import Measure
from trainables.methods.method import Method
from trainables.nets.net import Net
from trainables.nets.resnet import CifarResNet
from trainables.recipe import Recipe
from trainables.settings import Count, Fraction, Interval, Invalid, Positive, Suggest, Use, Weight
from trainables.targets.targets import Targets
from trainables.task import Out, Task
from trainables.trial import Trial

__all__ = [
    "Augment",
    "Batch",
    "Cifar10",
    "Cifar100",
    "CifarResNet",
    "ClassVectors",
    "Corrupt",
    "Count",
    "Crop",
    "DataSpec",
    "F",
    "Flip",
    "Fraction",
    "Grid",
    "Head",
    "ImageFolder",
    "Imbalance",
    "Interval",
    "Invalid",
    "Loss",
    "Measure",
    "Method",
    "Net",
    "Out",
    "Positive",
    "Recipe",
    "Sampler",
    "Source",
    "Suggest",
    "Targets",
    "Task",
    "Tensor",
    "Trial",
    "Use",
    "Weight",
    "cifar10",
    "cifar100",
    "demo",
    "error",
    "nn",
    "percent",
]

# A starting point: ResNet-32 by the recipe of OLS on CIFAR, with validation images held out.
cifar100 = Trial(
    data=DataSpec(source=Use(Cifar100), validation=0.1),
    net=Use(CifarResNet, depth=32),
    recipe=OLS_CIFAR.but(paper="", assumed=()),
)
cifar10 = cifar100.but(data=cifar100.data.but(source=Use(Cifar10)))
