"""KESL: soft labels from a hierarchy of the classes (Yuan et al., ICPR 2020, "Proposed Method")."""

from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.labels.hierarchy import edges, locate
from trainables.settings import Interval, Suggest, Use
from trainables.targets.targets import Mass, Targets
from trainables.task import Out, Task

# Up to it log g, which is about -T, and a batch's sum of it stay far inside float32.
Temperature = Annotated[float, Interval("(0, 1e30]")]


def log_soft_labels(edges: Tensor, decay: float, temperature: float) -> Tensor:
    """log g (classes, classes), float64, one distribution a row: g = softmax_j(temperature * c_ij).

    `edges` e_ij (classes, classes) counts the edges between two classes, at least 2 off the
    diagonal; d_ij = e_ij - 1, and the similarity c_ij = decay ** d_ij, with c_ii = 1.
    """
    return torch.log_softmax(temperature * _similarity(edges, decay), dim=1)


def knowledge_soft_labels(edges: Tensor, decay: float, temperature: float) -> Tensor:
    """g (classes, classes), float32."""
    return torch.softmax(temperature * _similarity(edges, decay), dim=1).float()


def _similarity(edges: Tensor, decay: float) -> Tensor:
    return torch.pow(decay, (edges - 1).clamp(min=0).double())


class Knowledge(Targets):
    """The row g_y of the knowledge embedded soft labels.

    `hierarchy`: "wordnet", "strokes" (of the digits), or a taxonomy file; `decay` is the paper's
    lambda, `temperature` its T, which multiplies: a larger one is sharper.
    """

    soft: Tensor
    log_soft: Tensor

    def __init__(
        self,
        task: Task,
        *,
        hierarchy: str = "wordnet",
        decay: Annotated[float, Interval("(0, 1)")] = 0.5,
        temperature: Temperature = 2.0,
    ) -> None:
        super().__init__(task)
        distances = edges(hierarchy, task.names, task.folder)
        self.register_buffer("soft", knowledge_soft_labels(distances, decay, temperature))
        # From T = 104 on `soft` has zeros, and its logarithm is taken where it has none alone:
        # so trials of smaller T are bit for bit what they were. Follows from the settings.
        exact = log_soft_labels(distances, decay, temperature).float()
        normal = self.soft >= torch.finfo(self.soft.dtype).tiny
        log_soft = torch.where(normal, self.soft.log(), exact)
        self.register_buffer("log_soft", log_soft, persistent=False)

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return self.soft[batch.y]

    def log(self, batch: Batch, out: Out) -> Tensor:
        return self.log_soft[batch.y]

    @classmethod
    def mass(cls, **_: object) -> Mass:
        return "positive"

    @classmethod
    def files(cls, folder: Path, *, hierarchy: str, **_: object) -> dict[str, Path]:
        path = locate(hierarchy, folder)
        return {} if path is None else {"hierarchy": path}

    @classmethod
    def demo(cls, use: Use) -> Use:
        return use.but(hierarchy="strokes")

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "decay": trial.suggest_float("decay", 0.1, 0.9),
            "temperature": trial.suggest_float("temperature", 0.5, 32, log=True),
        }
