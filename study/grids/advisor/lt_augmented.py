"""Advisor networks, Table 2: long tails of CIFAR with AutoAugment and Cutout, ResNet-32."""

from study.grids.advisor._paper import SETS, as_printed, images_of, tail_trial, tailed
from study.grids.recipes import ADVISOR_AUGMENTED, AUGMENTED_STEPS, in_steps
from trainables.trial import Trial

FACTORS = (200, 100, 10)


def augmented(trial: Trial) -> Trial:
    """By the recipe of 13,000 steps."""
    return trial.but(recipe=in_steps(ADVISOR_AUGMENTED, AUGMENTED_STEPS, images_of(trial.data)))


TRIALS = {
    f"{name}, IF {factor}": augmented(tail_trial(tailed(name, factor)))
    for name in SETS
    for factor in FACTORS
}

grid = as_printed(
    "Advisor networks, long tails with AutoAugment and Cutout (CIFAR, ResNet-32)",
    "table2",
    TRIALS,
    assumed=(
        "13,000 steps to the nearest whole epoch; crops and flips beside AutoAugment and Cutout of "
        "16 pixels; Equalization loss: shares below 3e-3 count as rare; cRT and LWS: the last "
        "tenth of the epochs is their second stage",
    ),
    cifar10="""
Baseline (CE)     |   71.2 |   77.4 |   90.0
CBW               |   72.5 |   78.6 |   90.1
CBS               |   68.3 |   77.8 |   90.2
Focal             |   71.8 |   77.1 |   90.3
CB loss           |   72.6 |   78.2 |   89.9
LDAM              |   73.6 |   78.9 |   90.3
Equalization loss |   74.6 |   78.5 |   90.2
cRT               |   76.6 |   82.0 |   91.0
LWS               |  78.1* |  83.7* |      -
BALMS             |  81.5* |      - |  91.3*
MFRW              |  78.32 |  82.49 |  90.22
MES               |  77.12 |  81.19 |  91.03
MFRW-MES          |      - | 84.97* | 90.99*
""",
    cifar100="""
Baseline (CE)     |   41.0 |   45.3 |   61.9
CBW               |   36.7 |   42.3 |   61.4
CBS               |   37.8 |   42.6 |   61.2
Focal             |   40.2 |   43.8 |   60.0
CB loss           |   39.9 |   44.6 |   59.8
LDAM              |   41.3 |   46.1 |   62.1
Equalization loss |   43.3 |   47.4 |   60.5
cRT               |   44.5 |   50.0 |   63.3
LWS               |  45.3* |      - |  63.4*
BALMS             |      - |  50.8* |  63.0*
MFRW              |   42.9 |  47.05 |  62.77
MES               |  43.52 |  48.44 |      -
MFRW-MES          | 46.52* | 50.44* | 64.06*
""",
)
