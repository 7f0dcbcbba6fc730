"""Advisor networks, Table 1: long tails of CIFAR, ResNet-32."""

from study.grids.advisor._paper import FAMUS, as_printed, long_tails

grid = as_printed(
    "Advisor networks, long tails (CIFAR, ResNet-32)",
    "table1",
    long_tails(),
    assumed=FAMUS,
    cifar10="""
Baseline (CE)                   |  65.68 |  70.36 |  74.81 |  82.23 |  86.39
Focal                           |  65.29 |  70.38 |  76.71 |  82.76 |  86.66
Fine-tuning                     |  66.08 |  71.33 |  77.42 |  83.37 |  86.42
CB loss                         |  68.89 |  74.57 |  79.27 |  84.36 |  87.49
L2RW                            |  66.51 |  74.16 |  78.93 |  82.12 |  85.19
MW-Net                          |  68.91 |  75.21 |  80.06 |  84.94 |  87.84
LDAM-DRW                        |      - |  77.03 |      - |      - |  88.16
LDAM (reported by Jamal et al.) |      - |  80.00 |  82.34 |  84.37 |  87.40
FaMUS CE                        |      - |  79.30 |  83.15 |  87.15 |  89.39
FaMUS LDAM                      |      - |  80.96 |  83.32 |  86.24 |  87.90
GDW                             |      - |  72.34 |      - |      - |  87.32
MFRW                            | 78.07* |      - | 84.08* | 87.43* | 88.76*
BALMS                           | 74.76* | 80.42* | 83.56* |      - | 89.19*
MES                             | 72.23* | 78.35* | 81.84* | 86.71* |      -
MFRW-MES                        |      - | 81.19* |      - | 86.84* | 88.83*
""",
    cifar100="""
Baseline (CE)                   |  34.84 |  38.32 |  43.85 |  51.14 |  55.71
Focal                           |  35.62 |  38.41 |  44.32 |  51.95 |  55.78
Fine-tuning                     |  38.22 |  41.83 |  46.40 |  52.11 |  57.44
CB loss                         |  36.23 |  39.60 |  45.32 |  52.59 |  57.99
L2RW                            |  33.38 |  40.23 |  44.44 |  51.64 |  53.73
MW-Net                          |  37.91 |  42.09 |  46.74 |  54.37 |  58.46
LDAM-DRW                        |      - |  42.04 |      - |      - |  58.71
LDAM (reported by Jamal et al.) |      - |  44.08 |  49.16 |  52.38 |  58.00
FaMUS CE                        |      - |  45.60 |  49.56 |  56.22 |  60.42
FaMUS LDAM                      |      - |  46.03 |  49.93 |  55.95 |  59.03
GDW                             |      - |  39.52 |      - |      - |  57.30
MFRW                            |  40.77 |  44.85 |  49.65 |  56.46 |  60.25
BALMS                           |      - | 47.21* |      - | 57.43* | 61.61*
MES                             | 40.56* | 44.68* | 50.81* |      - |      -
MFRW-MES                        | 43.33* |      - | 52.02* | 56.95* | 60.60*
""",
)
