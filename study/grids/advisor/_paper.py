"""What the tables on advisor networks (Ricci et al.) share."""

from collections.abc import Mapping
from functools import partial

from study.grids.advisor._methods import BASELINE, FIXED, with_method
from study.grids.demo import demo
from study.grids.grid import Entry, Grid, percent
from study.grids.printed import printed
from study.grids.recipes import ADVISOR_FLIP, ADVISOR_TAIL
from trainables.data.corruptions.flip import FlipNoise
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.sources.cifar import Cifar10, Cifar100
from trainables.data.spec import DataSpec
from trainables.nets.resnet import CifarResNet
from trainables.seeding import generator
from trainables.settings import Use
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

DEMO_EPOCHS = 10  # these methods take four times as long as plain training
DEMO_HEAD = 60
DEMO_RATE = 0.25  # times the paper's learning rate, as the demo of the OLS tables
DEMO_CLEAN = 0.6  # the power of the number of clean images: 1, 2, 5, 10, 100 become 1, 2, 3, 4, 16

ASSUMED = (
    "no validation images; the test accuracy of the last epoch (the authors' public code, of "
    "Clothing1M, reports the best test epoch)",
    "CIFAR's ResNets with shortcut A; crops of 4 padded pixels and flips, of clean images too",
    "100 (CIFAR-10) and 10 (CIFAR-100) clean images of each class are taken out of the training "
    "images before the tail is cut, in every row; at demo scale 16 and 4",
    "Focal and CB loss with gamma 1 (CB: sigmoid, beta 0.9999); LDAM-DRW re-weights from 0.8 of "
    "the epochs on; MW-Net's rate is 1e-3, its weights are not normalised; b is drawn once a step",
    "fine-tuning from 0.8 of the epochs on; the second stage of BALMS (features stay, class rates "
    "are learned) is the last 2/15, with a cosine of its own",
    "published only: rows that others' papers report, and methods that are not here",
)
NOISE = (
    "Co-teaching is told the share of wrong labels; the S-Model starts with 0.1 of wrong labels; "
    "self-paced: from half of each batch to all of it at 0.8 of the epochs; MentorNet: its "
    "predefined curriculum, at the 75th percentile; GLC's clean images are the meta-set",
)
FAMUS = (
    "FaMUS CE is MW-Net whose hyper-gradient flows through the last 15 weight tensors: which of "
    "these it flows through is not learned",
)


def tailed(name: str, factor: float) -> DataSpec:
    """The data set with so many times as many images of the first class as of the last."""
    return SETS[name].but(imbalance=Use(LongTail, rho=factor))


def flipped(name: str, rate: float, data: DataSpec | None = None) -> DataSpec:
    """With the share of labels that have become those of a similar class, after any cut."""
    rule = (Use(FlipNoise, rate=rate, to=MAPS[name]),) if rate else ()
    return (data or SETS[name]).but(corrupt=rule)


def images_of(data: DataSpec) -> int:
    """How many images are trained on; CIFAR's classes have equally many."""
    source = data.source.build()
    most = source.images // source.classes - (data.meta_per_class or 0)
    names = [str(c) for c in range(source.classes)]
    sizes = data.imbalance.build()(most, names, generator(0, "")) if data.imbalance else ()
    return sum(sizes) or most * source.classes


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


def advisor_demo(trial: Trial, head: int | None = DEMO_HEAD) -> Trial:
    """A quarter as long as other demos, with fewer clean images in the paper's order.

    `head` is how many images the largest class of a tail has; None: all that there are.
    """
    small = demo(trial, DEMO_RATE, DEMO_EPOCHS)
    data = small.data
    if data.imbalance is not None:
        data = data.but(train_per_class=head)
    if (clean := trial.data.meta_per_class) is not None:
        data = data.but(meta_per_class=round(clean**DEMO_CLEAN))
    return small.but(data=data)


table = partial(
    Grid,
    paper="advisor",
    baseline=BASELINE,
    selection="last",
    seeds=3,
    demo=advisor_demo,
)


def as_printed(
    title: str,
    number: str,
    trials: Mapping[str, Trial],
    *,
    cifar10: str,
    cifar100: str,
    assumed: tuple[str, ...] = (),
) -> Grid:
    """A table of accuracies: a column a trial, a row a method; what is not here is not run.

    The numbers of both data sets are side by side in the paper.
    """
    one, other = printed(cifar10), printed(cifar100)
    rows: dict[str, dict[str, Entry]] = {}
    for name in one:
        rows[name] = {
            column: (with_method(trial, name), value)
            for (column, trial), value in zip(
                trials.items(), [*one[name], *other[name]], strict=True
            )
        }
    return table(
        title=title,
        table=number,
        columns=dict.fromkeys(trials, percent("test.accuracy")),
        assumed=(*ASSUMED, *assumed),
        fixed={name: fixed for name, fixed in FIXED.items() if name in rows},
        rows=rows,
    )
