"""Advisor networks, Fig. 4: MFRW-MES by how many clean images of CIFAR there are."""

from study.grids.advisor._methods import BASELINE, with_method
from study.grids.advisor._paper import ASSUMED, SETS, table, tail_trial, tailed
from study.grids.grid import Entry, percent
from trainables.trial import Trial

FACTOR = 100
IMAGES = (100, 200, 500, 1000)  # clean ones in all; none is plain cross-entropy
TRIALS = {name: tail_trial(tailed(name, FACTOR)) for name in SETS}


def clean(trial: Trial, images: int | None) -> Trial:
    """With so many clean images of each class."""
    return trial.but(data=trial.data.but(meta_per_class=images))


def row(images: int) -> dict[str, Entry]:
    """MFRW-MES on both data sets."""
    return {
        name: (with_method(clean(trial, images // classes), "MFRW-MES"), None)
        for name, trial in TRIALS.items()
        for classes in [trial.data.source.build().classes]
    }


grid = table(
    searches_data=True,
    title="Advisor networks, clean images (CIFAR, ResNet-32, IF 100)",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(
        *ASSUMED,
        "the figure's points could not be read, so none is published; its data are taken to be "
        "the long tails of IF 100",
    ),
    rows={
        BASELINE: {name: (clean(trial, None), None) for name, trial in TRIALS.items()},
        **{f"{images} clean images": row(images) for images in IMAGES},
    },
)
