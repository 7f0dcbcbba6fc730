"""Kinds: the base classes of everything that may stand in a trial, by what they are for."""

from trainables.data.augments.augment import Augment
from trainables.data.corruptions.corrupt import Corrupt
from trainables.data.imbalances.imbalance import Imbalance
from trainables.data.samplers.sampler import Sampler
from trainables.data.sources.source import Source
from trainables.heads.head import Head
from trainables.labels.matrices.label_matrices import LabelMatrices
from trainables.labels.words import ClassVectors
from trainables.losses.loss import Loss
from trainables.measures.measure import Measure
from trainables.methods.method import Method
from trainables.nets.net import Net
from trainables.targets.targets import Targets

KINDS: dict[str, type] = {
    "Methods: how the weights are trained": Method,
    "Targets: what the net should emit": Targets,
    "Losses: how far the output is from the target": Loss,
    "Heads: from features to the output": Head,
    "Class vectors: what a head may hold fixed": ClassVectors,
    "Label matrices: arrays that stand for classes": LabelMatrices,
    "Nets": Net,
    "Data sets": Source,
    "Augmentations": Augment,
    "Rules that make classes unequal": Imbalance,
    "Samplers: which images an epoch has": Sampler,
    "Rules that make labels wrong": Corrupt,
    "Measures of finished trials": Measure,
}
