"""The label itself."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.targets.targets import Targets
from trainables.task import Out


def on_label(y: Tensor, classes: int, label: float, rest: float) -> Tensor:
    """(n, classes): `label` in the column of each image's label, `rest` in the others."""
    values = torch.full((len(y), classes), rest, device=y.device)
    return values.scatter(1, y[:, None], label)


class OneHot(Targets):
    """All mass on the label."""

    nothing_to_search = "has no settings"

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return F.one_hot(batch.y, self.task.classes).float()
