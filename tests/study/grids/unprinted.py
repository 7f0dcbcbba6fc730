"""Tables and figures of which no number is printed, or all are lost."""

OURS = "Word embedding (GloVe)"
AUGMENTED = ("CE", "Cutout", "Random erasing", "GridMask")
LABEL_SETS = [
    *("Category", "Speech", "Shuffled speech", "Constant matrix", "Gaussian composition"),
    *("Random matrix", "Random, 10 numbers", "BERT", "GloVe"),
]
# The rows and columns of those tables and figures of which no number is printed, or all are lost.
UNPRINTED: dict[str, tuple[list[str], list[str]]] = {
    "own_images": (
        [
            *("Cross-entropy", "Label smoothing", "OLS", "KESL", "Word embedding", "MFRW-MES"),
            *("Speech", "Gaussian composition", "Random matrix", "Resample", "Reweight"),
            *("CB focal", "LDAM-DRW", "Balanced softmax", "BALMS"),
        ],
        ["accuracy", "larger", "medium", "smaller"],
    ),
    "ols_alpha": (
        [f"alpha {a}" for a in ("0", "0.1", "0.2", "0.3", "0.4", "0.5")]
        + [f"alpha {a}" for a in ("0.6", "0.7", "0.8", "0.9", "1")],
        ["top-1 error"],
    ),
    "ols_period": (
        [f"{n} iterations" for n in (1, 50, 100, 200)]
        + ["one epoch", "2 epochs", "5 epochs", "10 epochs"],
        ["top-1 error"],
    ),
    "ols_single": (
        ["Hard label", "OLS-Single", "OLS-Single, current net", "OLS"],
        ["top-1 error"],
    ),
    "advisor_meta_size": (
        ["Baseline (CE)", *(f"{n} clean images" for n in (100, 200, 500, 1000))],
        ["CIFAR-10", "CIFAR-100"],
    ),
    "advisor_backbone_size": (
        ["Baseline (CE)", "BALMS", "MFRW-MES"],
        [
            f"CIFAR-{classes}, ResNet-{net} M)"
            for classes in (10, 100)
            for net in ("20 (0.27", "32 (0.46", "56 (0.85", "18 (11.17")
        ],
    ),
    "advisor_clothing_tail": (
        ["Baseline (CE)", "MW-Net", "BALMS", "MFRW", "MES", "MFRW-MES"],
        ["IF 1", "IF 50", "IF 100"],
    ),
    "label_accuracy": (
        LABEL_SETS,
        [
            f"CIFAR-{classes}, {net}, {kind}"
            for classes in (10, 100)
            for net in ("VGG-19", "ResNet-32", "ResNet-110")
            for kind in ("nearest label", "Huber loss below 3.5")
        ],
    ),
    "label_attack": (
        LABEL_SETS,
        [
            f"CIFAR-{classes}, {attack}, {shown}"
            for classes in (10, 100)
            for attack in ("FGSM", "iterative", "targeted FGSM", "targeted iterative")
            for shown in ("eps 0.1", "eps 0.2", "eps 0.3", "mean")
        ],
    ),
    "label_efficiency": (LABEL_SETS, ["1%", "2%", "4%", "8%", "10%", "20%"]),
    "label_statistics": (LABEL_SETS, ["entropy (bits)", "L1 distance", "L2 distance"]),
    "label_curves": (LABEL_SETS, ["CIFAR-10", "CIFAR-100"]),
    "label_features": (
        ["Category", "Speech"],
        ["accuracy", *(f"silhouette at {share}%" for share in (10, 30, 50, 70, 100))],
    ),
    "word_augment": (
        [name for own in AUGMENTED for name in (own, f"{own} + {OURS}".removeprefix("CE + "))],
        [f"CIFAR-{c}, {n}" for c in (10, 100) for n in (50, 100, 200)]
        + [f"mini-ImageNet, {n}" for n in (10, 50, 100)],
    ),
    "word_similarity": ([OURS, "Word embedding (BERT)"], ["highest cosine", "mean cosine"]),
    "word_random": (
        ["CE", "Random vectors", OURS],
        [f"{n} a class" for n in (50, 100, 200)] + ["rho 10", "rho 100"],
    ),
    "ols_features": (["Hard label", "Label smoothing", "OLS"], ["top-1 error", "silhouette"]),
    "ols_calibration": (
        ["Hard label", "Label smoothing", "OLS"],
        [f"ResNet-{depth} {kind}" for depth in (56, 74, 110) for kind in ("error", "ECE")],
    ),
}
