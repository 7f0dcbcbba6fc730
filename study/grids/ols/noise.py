"""OLS, Table VII: CIFAR-100 with symmetric noise, ResNet-56."""

from study.grids.grid import Entry, Published, error
from study.grids.ols._paper import ASSUMED, across, base, constants, noisy, table
from study.grids.printed import printed
from trainables.methods.l2rw import L2RW
from trainables.methods.mw_net import MWNet
from trainables.settings import Use

RATES = (0.0, 0.2, 0.4, 0.6, 0.8)
CLEAN = 10  # images of each class that methods learn from which need clean ones
META_LEARNED = {"L2RW (Ren et al.)": Use(L2RW), "MW-Net": Use(MWNet)}

PRINTED = printed("""
    Hard label        | 26.81 ± 0.36 | 37.75 ± 0.50 | 47.07 ± 1.08 | 62.06 ± 0.62 | 81.56 ± 0.42
    Bootsoft          | 27.28 ± 0.35 | 37.99 ± 0.43 | 46.96 ± 0.33 | 63.76 ± 0.85 | 80.32 ± 0.33
    Boothard          | 26.02 ± 0.22 | 36.21 ± 0.29 | 42.73 ± 0.16 | 54.95 ± 2.20 | 81.20 ± 1.26
    SCE               | 28.97 ± 0.31 | 38.40 ± 0.12 | 46.97 ± 0.65 | 62.13 ± 0.55 | 82.66 ± 0.10
    L2RW (Ren et al.) | 38.38 ± 0.35 | 43.74 ± 1.21 | 49.83 ± 0.53 | 57.65 ± 0.98 | 73.04 ± 0.15
    MW-Net            | 29.51 ± 0.51 | 35.06 ± 0.48 | 43.58 ± 0.93 | 56.15 ± 0.60 | 87.25 ± 0.22
    Arazo et al.      | 33.80 ± 0.10 | 33.91 ± 0.38 | 40.87 ± 1.49 | 52.91 ± 1.81 | 83.92 ± 0.19
    PENCIL            | 29.36 ± 0.35 | 36.33 ± 0.15 | 43.55 ± 0.08 | 57.49 ± 1.05 | 79.24 ± 0.11
    Han et al.        | 32.07 ± 0.36 | 35.08 ± 0.19 | 44.39 ± 0.23 | 62.50 ± 0.61 | 80.39 ± 0.16
    Label smoothing   | 26.37 ± 0.41 | 35.48 ± 0.61 | 43.99 ± 1.04 | 59.51 ± 0.80 | 80.36 ± 0.90
    OLS               | 25.24 ± 0.18 | 32.67 ± 0.14 | 38.86 ± 0.13 | 50.04 ± 0.14 | 78.22 ± 1.01
""")


TRIALS = {f"{rate:.0%}": base.but(data=noisy(rate)) for rate in RATES}


def row(name: str, *published: Published) -> dict[str, Entry]:
    """The method at each rate."""
    if name not in META_LEARNED:
        return across(TRIALS, name, *published)
    return {
        column: (
            trial.but(method=META_LEARNED[name], data=trial.data.but(meta_per_class=CLEAN)),
            number,
        )
        for (column, trial), number in zip(TRIALS.items(), published, strict=True)
    }


grid = table(
    title="OLS, share of wrong labels (CIFAR-100, ResNet-56)",
    table="table7",
    columns=dict.fromkeys(TRIALS, error("test.accuracy")),
    assumed=(
        *ASSUMED,
        constants("Bootsoft", "Boothard", "SCE"),
        "exactly so many labels are wrong, each one that of another class",
        "L2RW and MW-Net learn from 10 clean images of each class besides, taken out of the "
        "training images; MW-Net with the rate 1e-3 of its public code",
        "Arazo et al. and Han et al. in this paper's recipe, from epochs 105 (theirs) and 100 "
        "(assumed) of 300 on",
        "PENCIL's stages end after epochs 70 and 200, its rate falls by thirds of the last, as in "
        "its code, and its constants are those of that code for CIFAR-10",
    ),
    rows={name: row(name, *numbers) for name, numbers in PRINTED.items()},
)
