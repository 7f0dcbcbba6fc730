"""A decoder from features to the arrays that are labels (Chen et al., ICLR 2021)."""

from typing import Annotated

from torch import Tensor, nn

from trainables.heads.head import Head
from trainables.heads.prototypes import squared_distances
from trainables.labels.matrices.label_matrices import LabelMatrices, made
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.losses.huber import huber
from trainables.settings import Invalid, Of, Positive, Suggest, Use
from trainables.task import Task

CHANNELS = (64, 32, 16, 8)  # of the maps, the smallest first; each next one has twice the side
TIMES = 2 ** len(CHANNELS)  # the side of the label over that of the smallest map


def labels_of(task: Task, labels: Use, standardised: bool) -> tuple[Tensor, float]:
    """(classes, *shape) as they are emitted, and what a difference of 1 between them stands for.

    Standardised ones have mean 0 and standard deviation 1 over all elements of all classes.
    """
    matrices = made(labels, task.names, task.folder, task.seed)
    if not standardised:
        return matrices, 1.0
    exact = matrices.double()
    unit = float(exact.std(correction=0))
    return ((exact - exact.mean()) / unit).float(), unit


def nearness(output: Tensor, matrices: Tensor) -> Tensor:
    """(n, classes): minus the mean squared distance of arrays (n, ...) to matrices (classes, ...).

    By one product of matrices, in float32. All are centred first, which changes no distance, and
    leaves smaller squares to be subtracted from each other.
    """
    centre = matrices.mean(0)
    points, others = (output.float() - centre).flatten(1), (matrices - centre).flatten(1)
    return -squared_distances(points, others) / centre.numel()


def decoder(features: int, shape: tuple[int, ...]) -> nn.Sequential:
    """From (n, features) to (n, *shape): a vector (size,), or (side, side) with side = 16 m.

    A vector has one linear layer. A matrix has one to 64 channels of one pixel, and then five
    transposed convolutions. The first makes m x m pixels, each other twice the side. Batch norm and
    leaky ReLU stand before each layer but the first convolution. Raises Invalid for another shape.
    """
    if len(shape) == 1:
        return nn.Sequential(nn.Linear(features, shape[0]))
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] % TIMES:
        valid = f"(size,), or (side, side) with a multiple of {TIMES}, as 48 or 64"
        raise Invalid(f"LabelDecoder.labels: their shape is {shape}: must be {valid}")
    first = CHANNELS[0]
    layers: list[nn.Module] = [
        nn.BatchNorm1d(features),
        nn.LeakyReLU(),
        nn.Linear(features, first),
        nn.Unflatten(1, (first, 1, 1)),
        nn.ConvTranspose2d(first, first, shape[0] // TIMES, bias=False),
    ]
    for inputs, outputs in zip(CHANNELS, (*CHANNELS[1:], 1), strict=True):
        last = outputs == 1  # batch norm after all others takes a bias out again
        layers += [
            nn.BatchNorm2d(inputs),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=last),
        ]
    return nn.Sequential(*layers, nn.Flatten(1, 2))


class LabelDecoder(Head):
    """Emits an array as the label's; scores are minus the mean squared distance to each label.

    So the nearest label is predicted. `standardised`: labels are emitted with mean 0 and deviation
    1, which the public code does not do. Its second accuracy, "accuracy_huber", is the share of
    images whose Huber loss (beta 1) to their own label is below `threshold`, in the labels' unit.
    """

    emits_labels = True
    matrices: Tensor

    def __init__(
        self,
        task: Task,
        features: int,
        *,
        labels: Annotated[Use, Of(LabelMatrices)] = Use(UniformMatrices),
        standardised: bool = False,
        threshold: Positive = 3.5,
    ) -> None:
        super().__init__(task, features)
        matrices, self.unit = labels_of(task, labels, standardised)
        self.register_buffer("matrices", matrices, persistent=False)  # follow from the settings
        self.decoder = decoder(features, tuple(matrices.shape[1:]))
        self.threshold = threshold

    def forward(self, features: Tensor) -> Tensor:
        array: Tensor = self.decoder(features)
        return array

    def scores(self, output: Tensor) -> Tensor:
        return nearness(output, self.matrices)

    def hits(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        # Of differences u d, the loss of beta 1 is u times that of d with beta 1 / u.
        losses = self.unit * huber(output, self.matrices[y], beta=1 / self.unit)
        return {"accuracy_huber": losses < self.threshold}

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"standardised": trial.suggest_categorical("standardised", (False, True))}
