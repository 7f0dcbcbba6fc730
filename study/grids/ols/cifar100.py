"""OLS, Table II: CIFAR-100, five nets."""

from study.grids.grid import error
from study.grids.ols._paper import ASSUMED, across, base, constants, table
from study.grids.printed import printed
from trainables.nets.resnext import ResNeXt29
from trainables.nets.torchvision_nets import ResNet34, ResNet50, ResNet101
from trainables.settings import Use

NETS = {
    "ResNet-34": Use(ResNet34),
    "ResNet-50": Use(ResNet50),
    "ResNet-101": Use(ResNet101),
    "ResNeXt29-2x64d": Use(ResNeXt29, cardinality=2, base_width=64, stem=1, init="default"),
    "ResNeXt29-32x4d": Use(ResNeXt29, cardinality=32, base_width=4, stem=1, init="default"),
}

PRINTED = printed("""
    Hard label         | 20.62 ± 0.21 | 21.21 ± 0.25 | 20.34 ± 0.40 | 20.92 ± 0.52 | 20.85 ± 0.17
    Bootsoft           | 21.65 ± 0.13 | 21.25 ± 0.67 | 20.37 ± 0.07 | 21.20 ± 0.13 | 20.86 ± 0.24
    Boothard           | 22.58 ± 0.02 | 20.81 ± 0.13 | 21.46 ± 0.22 | 21.00 ± 0.10 | 21.47 ± 0.59
    Disturb label      | 20.91 ± 0.30 | 22.12 ± 0.51 | 20.99 ± 0.12 | 21.64 ± 0.24 | 21.69 ± 0.06
    SCE                | 22.86 ± 0.08 | 22.12 ± 0.11 | 22.60 ± 0.64 | 23.07 ± 0.28 | 22.96 ± 0.09
    Label smoothing    | 20.94 ± 0.08 | 21.20 ± 0.25 | 20.12 ± 0.02 | 20.34 ± 0.24 | 19.56 ± 0.18
    Pairwise confusion | 22.91 ± 0.04 | 23.09 ± 0.53 | 22.73 ± 0.39 | 21.55 ± 0.11 | 21.74 ± 0.04
    Xu et al.          | 22.65 ± 0.09 | 22.05 ± 0.43 | 21.70 ± 0.77 | 22.81 ± 0.08 | 23.14 ± 0.04
    OLS                | 20.04 ± 0.11 | 20.65 ± 0.14 | 19.66 ± 0.15 | 18.81 ± 0.45 | 18.79 ± 0.20
    BYOT               | 20.41 ± 0.10 | 19.20 ± 0.30 | 18.51 ± 0.49 | 19.69 ± 0.12 | 20.33 ± 0.19
    BYOT + OLS         | 19.44 ± 0.09 | 18.15 ± 0.21 | 18.14 ± 0.08 | 18.29 ± 0.20 | 19.25 ± 0.29
""")


TRIALS = {name: base.but(net=net) for name, net in NETS.items()}

grid = table(
    title="OLS and other methods that change the label (CIFAR-100)",
    table="table2",
    columns=dict.fromkeys(NETS, error("test.accuracy")),
    assumed=(
        *ASSUMED,
        constants("Bootsoft", "Boothard", "Disturb label", "SCE"),
        "pairwise confusion of weight 0.1 a class between the probabilities of pairs of different "
        "classes, as in its own paper; the public script takes a norm of logits over all pairs",
        "ResNet-34, -50 and -101: ImageNet's, with a first layer of 3 x 3 and no pooling after it",
        "ResNeXt29's first layer is 1 x 1, as in the public script",
        "Xu et al. and BYOT without supervision of the features, as the text says; Xu et al. with "
        "weight 1 and T 3, BYOT with alpha 0.1 and T 3, as a re-implementation has them",
    ),
    rows={name: across(TRIALS, name, *numbers) for name, numbers in PRINTED.items()},
)
