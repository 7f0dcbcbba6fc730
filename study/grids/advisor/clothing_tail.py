"""Advisor networks, Table 8: long tails of Clothing1M, ResNet-18. Its cells are lost."""

from study.grids.advisor._large import CLOTHES, CLOTHING, large_table
from study.grids.advisor._methods import BASELINE, with_method
from study.grids.grid import percent
from study.grids.recipes import ADVISOR_CLOTHING_TAIL
from trainables.data.imbalances.long_tail import LongTail
from trainables.nets.torchvision_nets import ResNet18
from trainables.settings import Use
from trainables.trial import Trial

TRIALS = {
    f"IF {factor}": Trial(
        data=CLOTHING.but(imbalance=Use(LongTail, rho=factor)),
        net=Use(ResNet18, weights="imagenet"),
        recipe=ADVISOR_CLOTHING_TAIL,
    )
    for factor in (1, 50, 100)
}

grid = large_table(
    title="Advisor networks, long tails of Clothing1M (ResNet-18)",
    table="table8",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(
        *CLOTHES,
        "which methods the table has is lost, too: those of tables 6 and 7 that are run",
        "the first class of a tail is the largest, with as many images as the smallest class of "
        "the whole list has, by its wrong labels; at IF 1 all classes have as many",
    ),
    rows={
        name: {column: (with_method(trial, name), None) for column, trial in TRIALS.items()}
        for name in (BASELINE, "MW-Net", "BALMS", "MFRW", "MES", "MFRW-MES")
    },
)
