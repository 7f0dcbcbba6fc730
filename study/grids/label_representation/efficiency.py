"""Label representations: accuracy by the share of CIFAR-10's training images, ResNet-32."""

from study.grids.grid import percent
from study.grids.label_representation._paper import ASSUMED, rows_of, table, trial
from trainables.trial import Trial

SHARES = (0.01, 0.02, 0.04, 0.08, 0.1, 0.2)
PLAIN = trial("CIFAR-10", "ResNet-32")


def of_share(share: float) -> Trial:
    """With that share of all training images, validation images not among them."""
    return PLAIN.but(data=PLAIN.data.but(train_share=share))


TRIALS = {f"{share:.0%}": of_share(share) for share in SHARES}

grid = table(
    title="Label representations, few images (CIFAR-10, ResNet-32)",
    table="efficiency",
    columns=dict.fromkeys(TRIALS, percent("test.accuracy")),
    assumed=(*ASSUMED, "as many images of every class; ResNet-32"),
    rows=rows_of(TRIALS),
)
