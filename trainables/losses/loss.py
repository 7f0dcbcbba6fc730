"""Loss: how far what the network emits is from what it should emit."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, get_args

from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.settings import Invalid
from trainables.targets.targets import Mass

if TYPE_CHECKING:
    from trainables.model import Out, Task
    from trainables.trial import Trial

WORDS: dict[Mass, str] = {
    "distribution": "distributions, that sum to 1",
    "positive": "distributions with some probability for every class, as Smooth",
}


class Loss(nn.Module, ABC):
    """From a model's output and its target to one number an image."""

    def __init__(self, task: "Task") -> None:
        super().__init__()

    @abstractmethod
    def forward(self, out: "Out", target: Tensor, batch: Batch) -> Tensor:
        """(n,); changes no state."""

    @classmethod
    def needs(cls, **settings: Any) -> Mass:
        """The least that targets must be, by the settings; "partial": any will do."""
        return "partial"

    @classmethod
    def check_trial(cls, trial: "Trial", **settings: object) -> None:
        """Raises Invalid where the loss of the trial's targets would be infinite or no number."""
        order, targets = get_args(Mass), trial.targets
        needs, has = cls.needs(**settings), targets.part.mass(**dict(targets.items))
        if order.index(has) < order.index(needs):
            valid = f"{WORDS[needs]}: {trial.loss!r} takes their logarithm"
            raise Invalid(f"trial.targets = {targets!r}: must be {valid}")
