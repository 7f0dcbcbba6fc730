"""Advisor networks, Table 3: long tails of CIFAR, ResNet-18."""

from study.grids.advisor._paper import as_printed, long_tails
from trainables.nets.torchvision_nets import ResNet18
from trainables.settings import Use

grid = as_printed(
    "Advisor networks, long tails (CIFAR, ResNet-18)",
    "table3",
    long_tails(Use(ResNet18)),
    cifar10="""
Baseline (CE) |  70.22 |  75.16 |  82.32 |  87.24 |  90.73
CB loss       |  69.16 |  75.16 |  81.90 |  86.61 |  90.79
FSA           |  77.06 |  80.57 |  84.51 |  88.54 |  91.75
MES           |  73.11 |  77.96 |  83.33 |  88.69 |  90.63
MFRW-MES      |  79.94 |  83.43 |  86.80 |  89.13 |  91.02
BALMS         | 76.86* |      - | 85.28* | 89.27* | 90.86*
MFRW          |      - | 81.35* |      - |      - |      -
""",
    cifar100="""
Baseline (CE) |  38.87 |  43.65 |  48.55 |  57.09 |  62.59
CB loss       |  38.58 |  43.51 |  48.15 |  57.02 |  63.10
FSA           |  42.84 |  46.57 |  51.90 |  58.69 |  65.08
MES           |  40.28 |  44.49 |  50.10 |  58.24 |  63.99
MFRW-MES      |  43.85 |  50.04 |  54.12 |  61.37 |      -
BALMS         | 42.19* |      - |      - | 59.87* | 64.13*
MFRW          |      - | 47.51* | 53.15* |      - | 65.36*
""",
)
