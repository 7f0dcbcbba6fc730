"""Advisor networks, Table 6: long tails of CIFAR with flipped labels, ResNet-32."""

from study.grids.advisor._paper import SETS, as_printed, flipped, tail_trial, tailed

FACTORS, RATES = (200, 100, 10), (0.4, 0.6)
TRIALS = {
    f"{name}, p {rate:g}, IF {factor}": tail_trial(flipped(name, rate, tailed(name, factor)))
    for name in SETS
    for rate in RATES
    for factor in FACTORS
}

grid = as_printed(
    "Advisor networks, long tails and flipped labels (CIFAR, ResNet-32)",
    "table6",
    TRIALS,
    cifar10="""
Baseline (CE) |  49.64 |  56.98 |  76.58 |  31.78 |  31.96 |  31.78
MW-Net        |  45.74 |  52.43 |  82.22 |  32.06 |  33.22 |  46.50
GDW           |  36.28 |  49.73 |  81.30 |  27.90 |  34.39 |  60.83
BALMS         | 53.73* | 59.24* | 70.40* |      - | 52.55* | 57.39*
MFRW          |      - |      - | 83.76* | 44.41* |      - | 69.16*
MES           | 53.33* | 64.51* | 85.80* | 44.45* | 52.46* |      -
MFRW-MES      |      - |      - |      - | 50.19* | 59.38* | 90.26*
""",
    cifar100="""
Baseline (CE) |  22.03 |  23.81 |  39.48 |  12.08 |  13.65 |  19.60
MW-Net        |  24.34 |  25.24 |  39.05 |  12.96 |  14.96 |  20.01
GDW           |  21.98 |  23.62 |  34.92 |  13.47 |  14.12 |  20.06
BALMS         |      - |      - | 44.44* |      - |      - | 32.02*
MFRW          | 23.45* | 25.26* | 38.08* | 17.65* | 18.48* | 29.58*
MES           | 25.41* | 26.76* |      - | 17.12* | 18.79* |      -
MFRW-MES      | 31.73* | 34.20* | 53.89* | 21.79* | 24.30* | 39.99*
""",
)
