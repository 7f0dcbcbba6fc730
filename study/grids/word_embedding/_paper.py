"""What the tables on class-name vectors as soft labels (Zhong et al.) share."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from study.grids.demo import demo
from study.grids.folders import MINI_IMAGENET_LISTS
from study.grids.grid import Entry, Grid, Published
from study.grids.recipes import WORD_CIFAR, WORD_MINI
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.samplers.resample import Resample
from trainables.data.sources.cifar import Cifar10, Cifar100
from trainables.data.spec import DataSpec
from trainables.heads.cosine import Cosine
from trainables.heads.linear import Linear
from trainables.heads.prototypes import Prototypes
from trainables.heads.word_vectors import WordVectors
from trainables.labels.encoder import Encoder
from trainables.labels.random_vectors import RandomVectors
from trainables.labels.word_file import WordFile
from trainables.losses.center import CenterLoss
from trainables.losses.gcpl import GCPL
from trainables.losses.ldam import LDAM
from trainables.losses.reweighted import Reweighted
from trainables.losses.sigmoid_focal import SigmoidFocal
from trainables.methods.proto_net import ProtoNet
from trainables.nets.torchvision_nets import ResNet18
from trainables.settings import Use
from trainables.targets.smooth import Smooth
from trainables.trial import Trial

# All training images, the last epoch's test accuracy: the paper names no validation images.
cifar10 = Trial(
    data=DataSpec(source=Use(Cifar10), validation=0.0), net=Use(ResNet18), recipe=WORD_CIFAR
)
cifar100 = cifar10.but(data=DataSpec(source=Use(Cifar100), validation=0.0))
mini = Trial(
    data=DataSpec(source=MINI_IMAGENET_LISTS, validation=0.0), net=Use(ResNet18), recipe=WORD_MINI
)

# At demo scale so many images stand for a hundred, and no class has fewer than the second number.
DEMO_OF_100, DEMO_LEAST = 15, 4
DEMO_RATE = 0.25  # times the paper's learning rate, as the demo of the OLS tables
DEMO_GAMMA = 0.1  # of ProtoNet


def few(trial: Trial, per_class: int) -> Trial:
    """With so many training images of each class."""
    return trial.but(data=trial.data.but(train_per_class=per_class))


def long_tailed(trial: Trial, rho: float) -> Trial:
    """With rho times as many training images of the first class as of the last.

    The last third of the classes has those that are left: so the thirds printed in tables 4 and 5
    come to the accuracies printed for all classes.
    """
    tail = Use(LongTail, rho=rho)
    return trial.but(data=trial.data.but(imbalance=tail, odd_third="smaller"))


GLOVE = Use(WordVectors, vectors=Use(WordFile, path="glove.6B.300d.txt"))
BERT = Use(WordVectors, vectors=Use(Encoder, path="bert-base-uncased"))
RANDOM = Use(WordVectors, vectors=Use(RandomVectors, size=300))
SCALE = 30.0  # of cosines, LDAM's
OURS = "Word embedding (GloVe)"
CB = {"rule": "effective", "beta": 0.9999}

# The parts of each method by its printed name, with the constants of the method's own paper.
METHODS: dict[str, dict[str, Any]] = {
    "CE": {},
    "CenterLoss": {"loss": Use(CenterLoss)},
    "GCPL": {"head": Use(Prototypes), "loss": Use(GCPL)},
    "ProtoNet": {"head": Use(Prototypes), "method": Use(ProtoNet)},
    "Label smoothing": {"targets": Use(Smooth, epsilon=0.1)},
    "Word embedding (BERT)": {"head": BERT},
    OURS: {"head": GLOVE},
    "Random vectors": {"head": RANDOM},
    "Reweight": {"loss": Use(Reweighted)},
    "LDAM": {"head": Use(Cosine), "loss": Use(LDAM, scale=SCALE)},
    f"LDAM + {OURS}": {"head": GLOVE, "loss": Use(LDAM, scale=SCALE)},
    "CB focal": {
        "head": Use(Linear, bias="prior"),
        "loss": Use(Reweighted, loss=Use(SigmoidFocal, gamma=1.0), **CB),
    },
    f"CB focal + {OURS}": {
        "head": GLOVE,
        "loss": Use(Reweighted, loss=Use(SigmoidFocal, gamma=1.0, scale=SCALE), **CB),
    },
}

PROTOCOL = "no validation images; the test accuracy of the last epoch"
VECTORS = (
    "GloVe: glove.6B.300d; BERT: bert-base-uncased, the mean of the last hidden states of a word's "
    "tokens, without special ones; names of several words: the mean over the words",
    "at demo scale the embedded 100 numbers of GloVe, and their first 50 in the place of BERT",
)
FEW = (
    PROTOCOL,
    *VECTORS,
    "CenterLoss with lambda 0.003, GCPL with lambda 0.001 and gamma 1, ProtoNet with gamma 1, "
    "batches halved: suggested by their papers and codes, not printed here",
)
UNEQUAL = (
    PROTOCOL,
    *VECTORS,
    "the first classes are the largest; of classes that three do not divide the last third has "
    "one more, with which the printed thirds of tables 4 and 5 come to the printed totals",
    "Resample and Reweight by 1 / n_c; LDAM without deferred re-weighting; CB focal with beta "
    "0.9999 and gamma 1: the paper has none of these constants",
    "LDAM and CB focal of cosines times 30",
)
# A search leaves alone what makes a row that row.
FIXED = {name: ("loss.rule", "loss.start") for name in METHODS if name.startswith(("Re", "CB"))}


def with_method(trial: Trial, name: str) -> Trial:
    """The trial with a method by its printed name."""
    if name == "Resample":
        return trial.but(recipe=trial.recipe.but(sampling=Use(Resample)))
    return trial.but(**METHODS[name])


def across(trials: Mapping[str, Trial], name: str, *published: Published) -> dict[str, Entry]:
    """A row: each column's trial with that method; without numbers none is published."""
    numbers = published or (None,) * len(trials)
    pairs = zip(trials.items(), numbers, strict=True)
    return {column: (with_method(trial, name), number) for (column, trial), number in pairs}


def word_demo(trial: Trial) -> Trial:
    """With images a class in the paper's order; ProtoNet is softer: it learns little at gamma 1."""
    small = demo(trial, DEMO_RATE)
    if trial.method.part is ProtoNet:
        small = small.but(head=Use(Prototypes, gamma=DEMO_GAMMA))
    if (per_class := trial.data.train_per_class) is None:
        return small
    images = max(DEMO_LEAST, per_class * DEMO_OF_100 // 100)
    return small.but(data=small.data.but(train_per_class=images))


table = partial(
    Grid, paper="word_embedding", baseline="CE", selection="last", seeds=5, demo=word_demo
)
