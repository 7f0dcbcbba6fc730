"""The label itself."""

import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.targets.targets import Targets
from trainables.task import Out


class OneHot(Targets):
    """All mass on the label."""

    nothing_to_search = "has no settings"

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return F.one_hot(batch.y, self.task.classes).float()
