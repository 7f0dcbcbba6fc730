"""The papers' training recipes, each with where it is printed."""

from trainables.data.augment import Crop, Flip
from trainables.settings import Use
from trainables.trial import Recipe

# The poster of Yuan et al. (ICPR 2020) prints learning rates only. The rest is the usual recipe for
# fine-grained images with ImageNet weights, that of the public fine-grained script of OLS too.
KESL_CUB = Recipe(
    epochs=100,
    batch_size=64,
    lr=0.01,
    momentum=0.9,
    weight_decay=1e-4,
    schedule="step",
    milestones=(45, 80),
    augment=(Use(Crop), Use(Flip)),
    paper="Yuan et al. 2020, poster: learning rates only",
    assumed=("epochs", "batch_size", "momentum", "weight_decay", "milestones", "augment"),
)

# The same, from scratch on the poster's general data sets.
KESL_GENERAL = KESL_CUB.but(assumed=(*KESL_CUB.assumed, "lr"))
