"""The usual classifier: one linear layer."""

import math
from typing import Literal

from torch import Tensor, nn

from trainables.heads.head import Head
from trainables.task import Task


class Linear(Head):
    """One logit a class.

    `bias` "prior" starts it at -log(C - 1), whose sigmoid is 1 / C (Lin et al. 2017, section 4.1).
    The public code of CB focal has it.
    """

    nothing_to_search = "how the bias starts belongs to the loss"

    def __init__(
        self, task: Task, features: int, *, bias: Literal["default", "prior"] = "default"
    ) -> None:
        super().__init__(task, features)
        self.classifier = nn.Linear(features, task.classes)
        if bias == "prior":
            nn.init.constant_(self.classifier.bias, -math.log(task.classes - 1))

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(features)
        return logits
