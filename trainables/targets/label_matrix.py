"""The array of the label, where labels are arrays (Chen et al., ICLR 2021)."""

from typing import Any

from torch import Tensor

from trainables.data.data import Batch
from trainables.heads.label_decoder import labels_of
from trainables.targets.targets import Mass, Targets
from trainables.task import Out, Task


class LabelMatrix(Targets):
    """(n, *shape): what the trial's head, LabelDecoder, should emit for the label."""

    nothing_to_search = "the labels are settings of the head"
    matrices: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        head = task.parts.head
        matrices, _ = labels_of(task, head["labels"], head["standardised"])
        self.register_buffer("matrices", matrices, persistent=False)  # follow from the settings

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return self.matrices[batch.y]

    @classmethod
    def mass(cls, **settings: Any) -> Mass:
        return "none"
