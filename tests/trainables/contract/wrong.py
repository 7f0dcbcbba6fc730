"""Small parts, each with one thing wrong, and the trials that they stand in."""

import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.data.data import Batch
from trainables.losses.loss import Loss
from trainables.methods.method import Method, Sweep
from trainables.model import Model
from trainables.settings import Suggest
from trainables.targets.one_hot import OneHot
from trainables.targets.targets import Mass
from trainables.task import Out, Task


class Fine(Loss):
    """Cross-entropy."""

    nothing_to_search = "it has no settings"

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(out.scores, target, reduction="none")


class Wide(Fine):
    """A number for each class."""

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return out.scores - target


class Infinite(Fine):
    """Infinite for the images that are zeros."""

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return super().forward(out, target, batch).masked_fill(batch.y == 0, torch.inf)


class Whole(Fine):
    """One number for all images, as Python has it."""

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Any:
        return super().forward(out, target, batch).mean().item()


class Failing(Fine):
    """Raises."""

    nothing_to_search = "it has no settings"

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return out.scores.gather(1, batch.y)  # which has a dimension less


class Late(Fine):
    """Raises after the first epoch."""

    nothing_to_search = "it has no settings"

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return super().forward(out, target, batch) / (1 if batch.epoch == 0 else [])


class Nan(Fine):
    """No number from the second epoch on."""

    nothing_to_search = "it has no settings"

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        return super().forward(out, target, batch) * (1 if batch.epoch == 0 else torch.nan)


class Silent(Fine):
    __doc__ = None


class Bare(Fine):
    """A setting without annotation."""

    def __init__(self, task: Task, *, margin=0.1) -> None:  # type: ignore[no-untyped-def]
        super().__init__(task)


class Mute(Loss):
    """Neither `suggest` nor the reason why not."""

    forward = Fine.forward


class Settings(Fine):
    """A loss with a setting."""

    nothing_to_search = ""

    def __init__(self, task: Task, *, margin: float = 0.1) -> None:
        super().__init__(task)


class Unknown(Settings):
    """Offers what is no setting."""

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"gamma": trial.suggest_float("gamma", 0, 1)}


class Kept(Settings):
    """Asks, and keeps the answer to itself."""

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        trial.suggest_float("margin", 0, 1)
        return {}


class Worded(Settings):
    """Offers a word for a number."""

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {"margin": trial.suggest_categorical("margin", ("narrow", "wide"))}


class Bad(Settings):
    """Has `suggest` that raises."""

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        raise LookupError("no range")


class Counting(OneHot):
    """Counts in forward."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, batch: Batch, out: Out) -> Tensor:
        self.seen += len(batch.y)
        return super().forward(batch, out)


class Chance(OneHot):
    """Draws from Python's global generator, and uses it."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return super().forward(batch, out) * (1 - 1e-6 * random.random())


class Unsaid(OneHot):
    """Uses torch's chance, and does not say so by `draws`."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return super().forward(batch, out) * (1 - 1e-6 * torch.rand(1))


class Growing(OneHot):
    """Other targets at each look, from what no state has."""

    looks = 0

    def forward(self, batch: Batch, out: Out) -> Tensor:
        self.looks += 1
        return super().forward(batch, out) * (1 - 1e-6 / self.looks)


class Half(OneHot):
    """Sums to a half, and says that it is a distribution."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return super().forward(batch, out) / 2


class Zeros(OneHot):
    """Says that no share is 0."""

    @classmethod
    def mass(cls, **settings: Any) -> Mass:
        return "positive"


class Logs(OneHot):
    """Other logarithms than its own."""

    def log(self, batch: Batch, out: Out) -> Tensor:
        return super().log(batch, out) - 1


class Drifting(OneHot):
    """What it has seen is kept beside the state, and mixed in."""

    nothing_to_search = "it has no settings"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.seen = 0

    def observe(self, batch: Batch, out: Out) -> None:
        self.seen += 1

    def forward(self, batch: Batch, out: Out) -> Tensor:
        share = 0.1 * self.seen / (1 + self.seen)
        return super().forward(batch, out) * (1 - share) + share / self.task.classes


class Stepwise(Drifting):
    """The same with its state, of which Python makes a number in each step."""

    def get_extra_state(self) -> int:
        return self.seen

    def set_extra_state(self, state: int) -> None:
        self.seen = state


class Born(OneHot):
    """A first state that is drawn from the global generator."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.register_buffer("drawn", torch.rand(3))


class Swept(Method):
    """What it finds before an epoch is no part of its state."""

    nothing_to_search = "it has no settings"

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__(model, task)
        self.found: list[float] = []

    def start_epoch(self, epoch: int, sweep: Sweep) -> None:
        super().start_epoch(epoch, sweep)
        self.found = [1 + 0.01 * epoch]

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        return super().update(batch, lr * (self.found or [1])[0])


class Fading(Method):
    """Its rate falls with each step, which it counts beside the state."""

    nothing_to_search = "it has no settings"

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__(model, task)
        self.steps = 0

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        self.steps += 1
        return super().update(batch, lr / self.steps)


class Deaf(Method):
    """Its targets observe nothing."""

    def step(self, batch: Batch, out: Out, loss: Tensor, lr: float) -> dict[str, Tensor]:
        return {"loss": loss.detach(), "accuracy": loss.detach()}


class Endless(Method):
    """Its targets hear of no end of an epoch."""

    def end_epoch(self) -> None: ...


class Graded(Method):
    """Its targets observe with a gradient."""

    def step(self, batch: Batch, out: Out, loss: Tensor, lr: float) -> dict[str, Tensor]:
        self.model.targets.observe(batch, out)
        return super().step(batch, out, loss, lr)


class Held(Method):
    """Tells of a loss with its gradient."""

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        told = super().update(batch, lr)
        return {**told, "regret": next(self.parameters()).sum()}


class Terse(Method):
    """Tells of the loss alone."""

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        return {"loss": super().update(batch, lr)["loss"]}


class Dicing(Method):
    """Draws for its prediction."""

    def predict(self, x: Tensor) -> Tensor:
        return super().predict(x) + torch.rand(1)
