"""The papers' training recipes, each with where it is printed."""

from trainables.data.augments.augment import Crop, Flip, ResizedCrop
from trainables.data.augments.auto_augment import AutoAugment
from trainables.data.augments.cutout import Cutout
from trainables.data.loader import steps_of
from trainables.recipe import Recipe
from trainables.settings import Use

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
    paper="Yuan et al. 2020 (KESL)",
    assumed=("epochs", "batch_size", "momentum", "weight_decay", "milestones", "gamma", "augment"),
)

# The same, from scratch on the poster's general data sets.
KESL_GENERAL = KESL_CUB.but(assumed=(*KESL_CUB.assumed, "lr"))

# Zhang et al. (OLS), section V-A: SGD, 0.1, 300 epochs, batch 128, x0.1 after half and three
# quarters. What is assumed is of the public script.
OLS_CIFAR = Recipe(
    epochs=300,
    batch_size=128,
    lr=0.1,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    schedule="step",
    milestones=(150, 225),
    augment=(Use(Crop, padding=4), Use(Flip)),
    paper="Zhang et al. 2021 (OLS), section V-A",
    assumed=("momentum", "nesterov", "weight_decay", "augment"),
)

# The same, section V-A, on ImageNet: 250 epochs, batch 256. The public script has one optimizer for
# all data sets; the weight decay is its default, and what the authors say in its issue 1.
OLS_IMAGENET = OLS_CIFAR.but(
    epochs=250,
    batch_size=256,
    weight_decay=1e-4,
    milestones=(75, 150, 225),
    augment=(Use(ResizedCrop), Use(Flip)),
    assumed=("momentum", "nesterov", "weight_decay", "gamma", "augment"),
)

# Zhang et al. (OLS), section V-A: 100 epochs from 0.01, lower after 45 and 80.
OLS_FINE_GRAINED = KESL_CUB.but(
    paper="Zhang et al. 2021 (OLS), section V-A",
    assumed=("batch_size", "momentum", "weight_decay", "gamma", "augment"),
)

# Zhong et al. (word embeddings), section 3.1: all but the padding of the crops.
WORD_CIFAR = Recipe(
    epochs=200,
    batch_size=128,
    lr=0.1,
    momentum=0.9,
    weight_decay=1e-4,
    schedule="step",
    milestones=(120, 160, 180),
    warmup_epochs=5,
    augment=(Use(Crop, padding=4), Use(Flip)),
    paper="Zhong et al. (word embeddings), section 3.1",
    assumed=("augment",),
)

# The same, section 3.1, on mini-ImageNet: batch 64; crops are of a larger image.
WORD_MINI = WORD_CIFAR.but(batch_size=64, augment=(Use(Crop), Use(Flip)))

# Ricci et al. (advisor networks), section 4.3: ResNets on long tails of CIFAR.
ADVISOR_TAIL = Recipe(
    epochs=200,
    batch_size=128,
    lr=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="step",
    milestones=(160, 180),
    augment=(Use(Crop, padding=4), Use(Flip)),
    paper="Ricci et al. 2023 (advisor networks), section 4.3",
    assumed=("augment",),
)

# The same on wrong labels.
ADVISOR_FLIP = ADVISOR_TAIL.but(epochs=100, milestones=(50, 70))

# The same, section 4.3: 13,000 steps of batch 512 with a cosine to 0; how many epochs these are
# depends on the images (`in_steps`). Cutout of 16 pixels is that of BALMS's public code.
ADVISOR_AUGMENTED = ADVISOR_TAIL.but(
    epochs=300,
    batch_size=512,
    schedule="cosine",
    milestones=(),
    augment=(Use(Crop, padding=4), Use(Flip), Use(AutoAugment), Use(Cutout, side=16)),
    paper="Ricci et al. 2023 (advisor networks), section 4.3",
)
AUGMENTED_STEPS = 13_000

# The same, section 4.3, on ImageNet-LT and Places-LT. What is assumed is of the public codes of
# BALMS and of the data sets' authors, but for their changes of colour.
ADVISOR_IMAGENET_LT = ADVISOR_TAIL.but(
    epochs=180,
    batch_size=512,
    lr=0.2,
    schedule="cosine",
    milestones=(),
    augment=(Use(ResizedCrop), Use(Flip)),
    assumed=("batch_size", "momentum", "weight_decay", "augment"),
)
ADVISOR_PLACES_LT = ADVISOR_IMAGENET_LT.but(
    epochs=60,
    batch_size=64,
    lr=0.005,
    assumed=("momentum", "weight_decay", "augment"),
)

# The same, section 4.6, on Clothing1M: crops, and no flips.
ADVISOR_CLOTHING = ADVISOR_TAIL.but(
    epochs=20,
    batch_size=32,
    lr=0.01,
    weight_decay=1e-3,
    milestones=(10, 15),
    augment=(Use(Crop),),
    paper="Ricci et al. 2023 (advisor networks), section 4.6",
    assumed=(),
)

# The same, section 4.7, on its long tails.
ADVISOR_CLOTHING_TAIL = ADVISOR_CLOTHING.but(
    batch_size=64,
    weight_decay=1e-4,
    paper="Ricci et al. 2023 (advisor networks), section 4.7",
)


def in_steps(recipe: Recipe, steps: int, images: int) -> Recipe:
    """The recipe with as many whole epochs as come nearest to so many steps."""
    return recipe.but(epochs=max(1, round(steps / steps_of(images, recipe.batch_size))))


# Chen et al. (label representations): the public code; 600 epochs, x0.1 at 299 and 449.
LABEL_CIFAR = Recipe(
    epochs=600,
    batch_size=128,
    lr=0.1,
    momentum=0.9,
    weight_decay=1e-4,
    schedule="step",
    milestones=(299, 449),
    augment=(Use(Crop, padding=4), Use(Flip)),
    paper="Chen et al. 2021 (label representations), its public code",
    assumed=("augment",),
)
