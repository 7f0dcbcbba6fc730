"""KESL against label smoothing at two learning rates each: CUB-200-2011, ResNet-50."""

from study.grids.kesl._paper import ACCURACY, ASSUMED, BEST_ROW, base, kesl, table
from trainables.settings import Use
from trainables.targets.smooth import Smooth
from trainables.trial import Trial

smoothing = base.but(targets=Use(Smooth, epsilon=0.1))
knowledge = base.but(**kesl())


def at(lr: float, trial: Trial) -> Trial:
    return trial.but(recipe=trial.recipe.but(lr=lr))


grid = table(
    title="KESL against label smoothing (CUB-200-2011, ResNet-50)",
    table="label_smoothing",
    columns=ACCURACY,
    baseline="label smoothing, lr 0.01",
    assumed=(*ASSUMED, "epsilon 0.1", BEST_ROW),
    rows={
        "label smoothing, lr 0.01": (at(0.01, smoothing), 85.8),
        "label smoothing, lr 0.001": (at(0.001, smoothing), 86.5),
        "KESL, lr 0.1": (at(0.1, knowledge), 87.1),
        "KESL, lr 0.01": (at(0.01, knowledge), 86.7),
    },
)
