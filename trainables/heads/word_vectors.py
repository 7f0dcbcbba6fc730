"""Word vectors as fixed class vectors (`word_embedding`, equation 1)."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.heads.head import Head
from trainables.labels.words import ClassVectors, Embedded
from trainables.settings import Invalid, Of, Positive, Suggest, Use
from trainables.task import Task

LEAST_NORM = 1e-8  # of what is divided by


def unit_vectors(vectors: Tensor, names: tuple[str, ...], centred: bool) -> Tensor:
    """(classes, size) with norm 1, after their mean has been taken out where `centred`.

    Raises Invalid for a vector of zeros and for two classes with one direction.
    """
    exact = vectors.double()
    exact = exact - exact.mean(0) if centred else exact
    norms = torch.linalg.vector_norm(exact, dim=1, keepdim=True)
    if len(zero := (norms[:, 0] < LEAST_NORM).nonzero()):
        raise Invalid(f"the vector of class {names[int(zero[0])]!r} is zero: must have a direction")
    unit: Tensor = exact / norms
    alike = (unit @ unit.T > 1 - 1e-10).triu(1).nonzero()
    if len(alike):
        one, other = (names[int(i)] for i in alike[0])
        valid = "apart; substitutes may name other words for a class"
        raise Invalid(f"classes {one!r} and {other!r} have one vector: must be {valid}")
    return unit.float()


def cosine(features: Tensor, unit: Tensor) -> Tensor:
    """(n, classes): of each f (n, size) with each unit vector; in float32."""
    cosines: Tensor = F.normalize(features.float(), dim=1, eps=LEAST_NORM) @ unit.T
    return cosines


class WordVectors(Head):
    """f = a linear layer to the size of the class vectors w_c; scores are cos(f, w_c) / tau.

    With cross-entropy that is equation 1. `temperature` is tau, 1 there. Off by default, and not
    in the paper: `learn_temperature` (of log tau, started at `temperature`), `centred` vectors,
    and no normalisation of f (`normalise` = False: the dot product with the unit vector).
    """

    unit: Tensor

    def __init__(
        self,
        task: Task,
        features: int,
        *,
        vectors: Annotated[Use, Of(ClassVectors)] = Use(Embedded),
        temperature: Positive = 1.0,
        learn_temperature: bool = False,
        centred: bool = False,
        normalise: bool = True,
    ) -> None:
        super().__init__(task, features)
        given = vectors.build()(task.names, task.folder, task.seed)
        self.register_buffer("unit", unit_vectors(given, task.names, centred))
        self.embedding = nn.Linear(features, given.shape[1])
        self.normalise = normalise
        log_tau = torch.tensor(temperature).log()
        if learn_temperature:
            self.log_tau = nn.Parameter(log_tau)
        else:
            self.register_buffer("log_tau", log_tau, persistent=False)  # follows from the setting

    def forward(self, features: Tensor) -> Tensor:
        f: Tensor = self.embedding(features)
        return f

    def scores(self, output: Tensor) -> Tensor:
        scores = cosine(output, self.unit) if self.normalise else output.float() @ self.unit.T
        return scores / self.log_tau.exp()

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"temperature": trial.suggest_float("temperature", 0.01, 1, log=True)}
