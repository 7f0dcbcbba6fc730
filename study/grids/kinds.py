"""Kinds: the base classes of everything that may stand in a trial."""

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

KINDS: tuple[type, ...] = (
    Method,
    Targets,
    Loss,
    Head,
    ClassVectors,
    LabelMatrices,
    Net,
    Source,
    Augment,
    Imbalance,
    Sampler,
    Corrupt,
    Measure,
)
