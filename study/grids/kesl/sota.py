"""KESL, "Comparison with the state of the art": CUB-200-2011. Other authors' rows are not run."""

from study.grids.kesl._paper import ACCURACY, ASSUMED, BEST_ROW, base, kesl, table

grid = table(
    title="KESL and the state of the art (CUB-200-2011)",
    table="sota",
    columns=ACCURACY,
    baseline="Baseline (ResNet-50)",
    assumed=(*ASSUMED, BEST_ROW),
    rows={
        "Baseline (ResNet-50)": (base, 85.8),
        "DT-RAM (ResNet-50)": (None, 86.0),
        "KERL (VGG-16)": (None, 86.3),
        "MA-CNN (VGG-19)": (None, 86.5),
        "KERL w/ bbox (VGG-16)": (None, 86.6),
        "KERL w/ HR (VGG-16)": (None, 87.0),
        "DPL-CNN (ResNet-50)": (None, 87.1),
        "KESL (ResNet-50)": (base.but(**kesl()), 87.1),
    },
)
