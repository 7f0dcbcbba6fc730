"""The usual classifier: one linear layer."""

from torch import Tensor, nn

from trainables.heads.head import Head
from trainables.task import Task


class Linear(Head):
    """One logit a class."""

    nothing_to_search = "has no settings"

    def __init__(self, task: Task, features: int) -> None:
        super().__init__(task, features)
        self.classifier = nn.Linear(features, task.classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(features)
        return logits
