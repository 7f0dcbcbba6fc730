"""What the tables on advisor networks (Ricci et al.) share."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from study.grids.demo import demo
from study.grids.grid import Entry, Grid, percent
from study.grids.printed import inferred, printed
from study.grids.recipes import ADVISOR_FLIP, ADVISOR_TAIL
from trainables.data.corruptions.flip import FlipNoise
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.sources.cifar import Cifar10, Cifar100
from trainables.data.spec import DataSpec
from trainables.heads.cosine import Cosine
from trainables.heads.linear import Linear
from trainables.losses.focal import Focal
from trainables.losses.ldam import LDAM
from trainables.losses.reweighted import Reweighted
from trainables.losses.sigmoid_focal import SigmoidFocal
from trainables.methods.advisor import Advisor
from trainables.methods.l2rw import L2RW
from trainables.methods.mw_net import MWNet
from trainables.nets.resnet import CifarResNet
from trainables.settings import Use
from trainables.targets.bootstrap import Boothard
from trainables.trial import Trial

# Clean images of each class are drawn before the tail is cut; no row trains on them as on others.
SETS = {
    "CIFAR-10": DataSpec(source=Use(Cifar10), validation=0.0, meta_per_class=100),
    "CIFAR-100": DataSpec(source=Use(Cifar100), validation=0.0, meta_per_class=10),
}
FACTORS = (200, 100, 50, 20, 10)  # of the tails in tables 1 to 3
# The map of flip noise: a similar class, and the next one in the superclass.
MAPS = {"CIFAR-10": "similar", "CIFAR-100": "superclass"}
RESNET32 = Use(CifarResNet, depth=32)

DEMO_EPOCHS = 20  # these methods take four times as long as plain training
DEMO_RATE = 0.25  # times the paper's learning rate, as the demo of the OLS tables
DEMO_CLEAN = 0.6  # the power of the number of clean images: 1, 2, 5, 10, 100 become 1, 2, 3, 4, 16

BASELINE = "Baseline (CE)"
# The parts of each method by its printed name, with the constants of the method's own paper.
METHODS: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "Focal": {"loss": Use(Focal)},
    "CB loss": {
        "head": Use(Linear, bias="prior"),
        "loss": Use(Reweighted, loss=Use(SigmoidFocal, gamma=1.0), rule="effective", beta=0.9999),
    },
    "LDAM-DRW": {
        "head": Use(Cosine),
        "loss": Use(Reweighted, loss=Use(LDAM), rule="effective", beta=0.9999, start=0.8),
    },
    "Reed-hard": {"targets": Use(Boothard)},
    "L2RW": {"method": Use(L2RW)},
    "MW-Net": {"method": Use(MWNet)},
    "MFRW": {"method": Use(Advisor, weighs="features")},
    "MES": {"method": Use(Advisor, weighs="softmax")},
    "MFRW-MES": {"method": Use(Advisor, weighs="both")},
}
# A search leaves alone what makes a row that row.
FIXED = {"CB loss": ("loss.rule", "loss.start"), "LDAM-DRW": ("loss.rule", "loss.start")}

LOST = (
    "column inferred: the document lost the columns of these published numbers; each stands in the "
    "only one that fits"
)
ASSUMED = (
    "no validation images; the test accuracy of the last epoch (the authors' public code, of "
    "Clothing1M, reports the best test epoch)",
    "CIFAR's ResNets with shortcut A; crops of 4 padded pixels and flips, of clean images too",
    "100 (CIFAR-10) and 10 (CIFAR-100) clean images of each class are taken out of the training "
    "images before the tail is cut, in every row; at demo scale 16 and 4",
    "Focal and CB loss with gamma 1 (CB: sigmoid, beta 0.9999); LDAM-DRW re-weights from 0.8 of "
    "the epochs on; MW-Net's rate is 1e-3, its weights are not normalised; b is drawn once a step",
    "published only: rows that others' papers report, and methods that are not here",
)


def tailed(name: str, factor: float) -> DataSpec:
    """The data set with so many times as many images of the first class as of the last."""
    return SETS[name].but(imbalance=Use(LongTail, rho=factor))


def flipped(name: str, rate: float, data: DataSpec | None = None) -> DataSpec:
    """With the share of labels that have become those of a similar class, after any cut."""
    rule = (Use(FlipNoise, rate=rate, to=MAPS[name]),) if rate else ()
    return (data or SETS[name]).but(corrupt=rule)


def tail_trial(data: DataSpec, net: Use = RESNET32) -> Trial:
    return Trial(data=data, net=net, recipe=ADVISOR_TAIL)


def long_tails(net: Use = RESNET32) -> dict[str, Trial]:
    """Both data sets at all FACTORS, by column."""
    return {
        f"{name}, IF {factor}": tail_trial(tailed(name, factor), net)
        for name in SETS
        for factor in FACTORS
    }


def flip_trial(data: DataSpec) -> Trial:
    return Trial(data=data, net=RESNET32, recipe=ADVISOR_FLIP)


def advisor_demo(trial: Trial) -> Trial:
    """Half as long as other demos, with fewer clean images in the paper's order."""
    small = demo(trial, DEMO_RATE, DEMO_EPOCHS)
    if (clean := trial.data.meta_per_class) is None:
        return small
    return small.but(data=small.data.but(meta_per_class=round(clean**DEMO_CLEAN)))


table = partial(
    Grid,
    paper="advisor",
    baseline=BASELINE,
    selection="last",
    seeds=3,
    demo=advisor_demo,
)


def as_printed(
    title: str, number: str, trials: Mapping[str, Trial], *, cifar10: str, cifar100: str
) -> Grid:
    """A table of accuracies: a column a trial, a row a method; what is not here is not run.

    The numbers of both data sets are side by side in the paper.
    """
    one, other = printed(cifar10), printed(cifar100)
    rows: dict[str, dict[str, Entry]] = {}
    for name in one:
        parts = METHODS.get(name)
        rows[name] = {
            column: (None if parts is None else trial.but(**parts), value)
            for (column, trial), value in zip(
                trials.items(), [*one[name], *other[name]], strict=True
            )
        }
    half = len(trials) // 2
    lost = inferred(cifar10, list(trials)[:half]), inferred(cifar100, list(trials)[half:])
    return table(
        title=title,
        table=number,
        columns=dict.fromkeys(trials, percent("test.accuracy")),
        assumed=(*ASSUMED, f"{LOST}: {'; '.join(filter(None, lost))}"),
        fixed={name: fixed for name, fixed in FIXED.items() if name in rows},
        rows=rows,
    )
