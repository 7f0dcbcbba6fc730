"""Advisor networks, Table 7: Clothing1M, whose labels shops gave, ResNet-50."""

from study.grids.advisor._large import CLOTHES, CLOTHING, large_table
from study.grids.advisor._methods import with_method
from study.grids.advisor._paper import FAMUS
from study.grids.grid import percent
from study.grids.printed import printed
from study.grids.recipes import ADVISOR_CLOTHING
from trainables.nets.torchvision_nets import ResNet50
from trainables.settings import Use
from trainables.trial import Trial

TRIAL = Trial(data=CLOTHING, net=Use(ResNet50, weights="imagenet"), recipe=ADVISOR_CLOTHING)
NAMES = {"FaMUS": "FaMUS CE"}  # of those that other tables name otherwise

PRINTED = printed("""
    Baseline (CE) | 68.94
    F-correction  | 69.84
    JoCoR         | 70.30
    S-adaptation  | 70.36
    M-correction  | 71.00
    MLC           | 71.06
    Joint-Optim   | 72.16
    MLNT          | 73.47
    P-correction  | 73.49
    MW-Net        | 73.72
    MentorMix     | 74.30
    FaMUS         | 74.43
    DivideMix     | 74.76
    AugDesc       | 75.11
    MFRW          | 75.35
    MES           | -
    MFRW-MES      | 77.44
""")

grid = large_table(
    title="Advisor networks, Clothing1M (ResNet-50)",
    table="table7",
    columns={"accuracy": percent("test.accuracy")},
    assumed=(
        *CLOTHES,
        "the images are squashed to 256 x 256 pixels, and have crops alone, as printed",
        "FaMUS is run as FaMUS CE of table 1",
        *FAMUS,
    ),
    rows={
        name: (with_method(TRIAL, NAMES.get(name, name)), number)
        for name, (number,) in PRINTED.items()
    },
)
