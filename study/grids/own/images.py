"""Images of one's own: every method that needs no more than a folder of images.

`--set data.source.path=birds` names the folder, which is laid out as `ImageFolder` says. Images of
64 pixels suit a few hundred images on two cores, and many on a GPU. ResNet-18 takes any size. The
learning rate is that of the papers, 0.1 at batches of 128, for batches of 32. For larger images:
`--set net=ResNet50 --set data.source.side=224 --set data.source.resize=256`. Any field may be set.

Where KESL's hierarchy is WordNet, the folders' names are its nouns or synsets; a taxonomy is given
by `--set targets.hierarchy=FILE`. Rows that the folder does not support are left out.
"""

from collections.abc import Mapping
from pathlib import Path

import torch

from study.grids.advisor._methods import FIXED, with_method
from study.grids.grid import Grid, percent
from study.grids.kesl._paper import kesl
from study.grids.label_representation._paper import labelled
from study.preflight.prepare import Case, check_parts, counted
from study.search.space import PARTS
from trainables.data.augments.augment import Crop, Flip
from trainables.data.data import chosen
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.sources.source import Source
from trainables.data.spec import DataSpec
from trainables.heads.word_vectors import WordVectors
from trainables.losses.balanced_softmax import BalancedSoftmax
from trainables.nets.torchvision_nets import ResNet18
from trainables.recipe import Recipe
from trainables.settings import Invalid, Use
from trainables.targets.online import Online
from trainables.targets.smooth import Smooth
from trainables.training.groups import UNEQUAL, unequal
from trainables.trial import Trial

BASELINE = "Cross-entropy"
CLEAN = 5  # images of each class for methods that learn from clean ones

base = Trial(
    data=DataSpec(source=Use(ImageFolder, path="", side=64, resize=72)),
    net=Use(ResNet18),
    recipe=Recipe(
        epochs=60,
        batch_size=32,
        lr=0.025,
        schedule="cosine",
        augment=(Use(Crop), Use(Flip)),
    ),
)


def by(name: str, clean: int | None = None) -> Trial:
    """By a method of the advisor paper's tables, with so many clean images of each class."""
    trial = with_method(base.but(data=base.data.but(meta_per_class=clean)), name)
    assert trial is not None, "its table has the method"
    return trial


ROWS = {
    BASELINE: base,
    "Label smoothing": base.but(targets=Use(Smooth)),
    "OLS": base.but(targets=Use(Online)),
    "KESL": base.but(**kesl(hierarchy="wordnet")),
    "Word embedding": base.but(head=Use(WordVectors)),
    "MFRW-MES": by("MFRW-MES", CLEAN),
    "Speech": labelled(base, "Speech"),
    "Gaussian composition": labelled(base, "Gaussian composition"),
    "Random matrix": labelled(base, "Random matrix"),
}
TAILS = {
    "Resample": by("CBS"),
    "Reweight": by("CBW"),
    "CB focal": by("CB loss"),
    "LDAM-DRW": by("LDAM-DRW"),
    "Balanced softmax": base.but(loss=Use(BalancedSoftmax)),
    "BALMS": by("BALMS", CLEAN),
}
# What to give for a row that the folder's names do not support.
REMEDIES = {
    "KESL": ("--set targets.hierarchy=FILE, with a taxonomy of the classes",),
    "Word embedding": ("--set \"head.vectors=WordFile(path='glove.6B.300d.txt')\"",),
    "Speech": ("--set head.labels.wavs=FOLDER",),
    **dict.fromkeys(("MFRW-MES", "BALMS"), ("--set data.meta_per_class=N, for every row",)),
}
WRITTEN = {**ROWS, **TAILS}
THIRDS = ("larger", "medium", "smaller")
COLUMNS = {
    "accuracy": percent("test.accuracy"),
    **{third: percent(f"test.accuracy_{third}") for third in THIRDS},
}


def unsupported(rows: Mapping[str, Trial], folder: Path) -> dict[str, str]:
    """Rows and columns that the folder of images does not support, each with the reason.

    Raises Invalid where no row can be trained on it, and where a row whose parts `--set` has
    changed cannot be.
    """
    source = rows[BASELINE].data.source
    if source.part is ImageFolder and not source["path"]:
        raise Invalid(_no_path(folder))
    plain = settled(rows[BASELINE], folder)
    built: set[Case] = set()
    check_parts([plain], folder, built)
    found = _of_tails(plain, folder)
    for row, trial in rows.items():
        if row in found:
            continue
        try:
            check_parts([settled(trial, folder)], folder, built)
        except Invalid as error:
            if any(getattr(trial, part) != getattr(WRITTEN[row], part) for part in PARTS):
                raise
            found[row] = "; or ".join([str(error), *REMEDIES.get(row, ())])
    return found


def settled(trial: Trial, folder: Path) -> Trial:
    """With its images counted, and with formats in which its parts can be built anywhere."""
    return counted(trial, folder).with_formats(
        {"precision": "float32", "memory_format": "contiguous"}
    )


def _no_path(folder: Path) -> str:
    there = sorted(folder.glob("*/train"))
    some = f", as {', '.join(each.parent.name for each in there[:5])}" if there else ""
    valid = f"--set data.source.path=NAME, a folder of images in {folder}{some}"
    return f"data.source.path is missing: must be given by {valid}"


def _of_tails(plain: Trial, folder: Path) -> dict[str, str]:
    """What only unequal classes have, and the thirds that so few classes do not make."""
    source: Source = plain.data.source.build()
    y, names = source.labels_of(folder, "train"), source.names(folder)
    rows = chosen(plain.data, y, names, plain.seed).train
    counts = torch.bincount(y[rows], minlength=len(names))
    if not unequal(counts):
        sizes = f"{int(counts.max())} images to train on, the smallest {int(counts.min())}"
        reason = f"the largest class has {sizes}: of a long tail at least {UNEQUAL} times as many"
        return dict.fromkeys((*TAILS, *THIRDS), reason)
    few = len(names) < len(THIRDS)
    return dict.fromkeys(THIRDS, f"{len(names)} classes have no thirds") if few else {}


grid = Grid(
    title="Images of one's own",
    columns=COLUMNS,
    baseline=BASELINE,
    fixed={"Reweight": FIXED["CBW"], "CB focal": FIXED["CB loss"], "LDAM-DRW": FIXED["LDAM-DRW"]},
    assumed=(
        "a tenth of each class's training images are held out for validation, in every row the "
        "same ones; test images select nothing",
        f"MFRW-MES and BALMS learn from {CLEAN} clean images of each class, taken out of those "
        "that other rows train on",
        "KESL with lambda 0.5, T 2, alpha 1, beta 0.1; label smoothing with epsilon 0.1; OLS with "
        "alpha 0.5; word vectors are the embedded ones of GloVe",
        "larger, medium, smaller: thirds of the classes by their training images",
    ),
    demo=None,
    unsupported=unsupported,
    rows={row: dict.fromkeys(COLUMNS, (trial, None)) for row, trial in WRITTEN.items()},
)
