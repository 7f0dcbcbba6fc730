"""Label representations: entropy of each label set, and how far labels are apart; CIFAR-10."""

from analysis.plan import Metric
from study.grids.label_representation._paper import ASSUMED, label_demo, rows_of, table, trial
from trainables.measures.label_statistics import LabelStatistics
from trainables.settings import Use
from trainables.trial import Trial

LENGTH = {"epochs": 1, "schedule": "constant", "milestones": ()}
MEASURE = Use(LabelStatistics)
COLUMNS = {
    "entropy (bits)": Metric("entropy", "", measure=MEASURE),
    "L1 distance": Metric("l1", "", measure=MEASURE),
    "L2 distance": Metric("l2", "", measure=MEASURE),
}


def short(long: Trial) -> Trial:
    """Of one epoch: labels are fixed, and whatever the net learns says nothing of them."""
    return long.but(recipe=long.recipe.but(**LENGTH))


def demo(paper: Trial) -> Trial:
    """Of one epoch, too."""
    return short(label_demo(paper))


grid = table(
    title="Label representations, statistics of the labels (CIFAR-10)",
    table="statistics",
    columns=COLUMNS,
    seeds=1,
    demo=demo,
    assumed=(
        *ASSUMED,
        "each distinct number of a label is a case of its own in its entropy; distances of labels "
        "scaled to lie from 0 to 1; a training of one epoch, since a trial must have one: no net "
        "is looked at",
    ),
    rows=rows_of(dict.fromkeys(COLUMNS, short(trial("CIFAR-10", "ResNet-32")))),
)
