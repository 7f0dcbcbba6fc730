"""Advisor networks, Table 5: labels of CIFAR flipped to a similar class, ResNet-32."""

from study.grids.advisor._paper import NOISE, SETS, as_printed, flip_trial, flipped

RATES = (0.0, 0.2, 0.4, 0.6)
TRIALS = {f"{name}, p {rate:g}": flip_trial(flipped(name, rate)) for name in SETS for rate in RATES}

grid = as_printed(
    "Advisor networks, flipped labels (CIFAR, ResNet-32)",
    "table5",
    TRIALS,
    assumed=NOISE,
    cifar10="""
Baseline (CE) (reported by MW-Net) |  92.89 |  76.83 |  70.77 |      -
Reed-hard                          |  92.31 |  88.28 |  81.06 |      -
S-Model                            |  83.61 |  79.25 |  75.73 |      -
Self-paced                         |  88.52 |  87.03 |  81.63 |      -
Co-teaching                        |  89.87 |  82.83 |  75.41 |      -
D2L                                |  92.02 |  87.66 |  83.89 |      -
Fine-tuning                        |  93.23 |  82.47 |  74.07 |      -
MentorNet                          |  92.13 |  86.30 |  81.76 |      -
L2RW                               |  89.25 |  87.86 |  85.66 |      -
GLC                                |  91.02 |  89.68 |  88.92 |      -
MW-Net (reported by its paper)     |  92.04 |  90.33 |  87.54 |      -
Baseline (CE)                      |  92.33 |  90.56 |  86.25 |  26.67
MW-Net                             |  92.19 |  90.74 |  87.63 |  42.41
BALMS                              |  92.86 |  90.99 |  83.51 |  51.76
MFRW                               |  91.87 |  91.09 |  90.26 |  89.34
Focal                              |      - | 86.45* | 80.45* |      -
GDW                                | 92.94* | 91.05* | 87.70* |      -
MES                                |      - |      - | 90.76* | 90.58*
MFRW-MES                           | 92.46* | 91.44* |      - |      -
""",
    cifar100="""
Baseline (CE) (reported by MW-Net) |  70.50 |  50.86 |  43.01 |      -
Reed-hard                          |  69.02 |  60.27 |  50.40 |      -
S-Model                            |  51.46 |  45.45 |  43.80 |      -
Self-paced                         |  67.55 |  63.63 |  53.51 |      -
Co-teaching                        |  63.31 |  54.13 |  44.85 |      -
D2L                                |  68.11 |  63.48 |  51.83 |      -
Fine-tuning                        |  70.72 |  56.98 |  46.37 |      -
MentorNet                          |  70.24 |  61.97 |  52.66 |      -
L2RW                               |  64.11 |  57.47 |  50.98 |      -
GLC                                |  65.42 |  63.07 |  62.22 |      -
MW-Net (reported by its paper)     |  70.11 |  64.22 |  58.64 |      -
Baseline (CE)                      |  70.18 |  65.02 |  50.25 |  18.67
MW-Net                             |  70.57 |  64.13 |  51.23 |  19.89
BALMS                              |  69.66 |  65.61 |  56.83 |  39.16
MFRW                               |  68.93 |  63.54 |  59.07 |  56.13
Focal                              | 70.02* | 61.87* | 54.13* |      -
GDW                                |      - |      - | 52.44* |      -
MES                                | 69.74* | 65.36* | 62.96* | 60.82*
MFRW-MES                           | 68.33* | 65.17* |      - |      -
""",
)
