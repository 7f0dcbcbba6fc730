"""KESL, "Ablation study of hyper-parameters": CUB-200-2011, ResNet-50, lambda = 0.5."""

from study.grids.kesl._paper import ACCURACY, ASSUMED, base, kesl, table

grid = table(
    title="KESL, ablation of T, alpha and beta (CUB-200-2011, ResNet-50)",
    table="ablation",
    columns=ACCURACY,
    baseline="only CE",
    assumed=ASSUMED,
    fixed={"only KL: T 16, alpha 0, beta 1": ("loss.alpha",)},
    rows={
        "only CE": (base, 85.8),
        "only KL: T 16, alpha 0, beta 1": (base.but(**kesl(16, 0, 1)), 85.4),
        "T 2, alpha 1, beta 1": (base.but(**kesl(2, 1, 1)), 86.7),
        "T 5, alpha 1, beta 1": (base.but(**kesl(5, 1, 1)), 86.2),
        "T 16, alpha 1, beta 1": (base.but(**kesl(16, 1, 1)), 85.8),
        "T 16, alpha 1, beta 1 (again)": (base.but(**kesl(16, 1, 1)), 85.8),
        "T 16, alpha 0.1, beta 1": (base.but(**kesl(16, 0.1, 1)), 86.5),
        "T 2, alpha 1, beta 1 (again)": (base.but(**kesl(2, 1, 1)), 86.7),
        # The document prints alpha "- 1" and 97.1: misread, as the headline 87.1 shows.
        "T 2, alpha 1, beta 0.1": (base.but(**kesl(2, 1, 0.1)), 87.1),
    },
)
