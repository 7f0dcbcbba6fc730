"""Method: how the weights are changed by a batch; the default is ordinary training."""

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from trainables.data.data import Batch
from trainables.model import Model
from trainables.optimizers import SGD
from trainables.recipe import Recipe
from trainables.settings import Invalid, Use
from trainables.stepping import Stepping
from trainables.task import Out, Task


class Sweep(Protocol):
    """The training set once, in order, not augmented; or the clean images of the meta-set."""

    def __call__(self, meta: bool = False) -> Iterator[Batch]: ...


# What parts observe of a step's batch, and of what the model said of it.
Whole = Callable[[Batch, Out], tuple[Batch, Out]]


def check_start(recipe: Recipe, setting: str, epoch: float) -> None:
    """Raises Invalid where what begins in the epoch of that setting begins after training."""
    if epoch >= recipe.epochs:
        valid = f"below {recipe.epochs}, the epochs of the whole training"
        raise Invalid(f"{setting} = {epoch:g}: must be {valid}")


def last_stage(start: float, epochs: int) -> int:
    """The first epoch of a stage that begins at the share `start` of so many; at most the last."""
    return min(math.ceil(start * epochs), epochs - 1)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, lr: float) -> None:
    """One step of the optimizer at that rate along the gradient of `loss`, a scalar."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    follow(optimizer, lr)


def follow(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """The same along gradients that are there already."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()


# What an ordinary method leaves as it is.
ORDINARY = (
    *("__init__", "train", "views", "meta", "sampling", "sampling_in", "lr", "start_epoch"),
    *("update", "step", "observed"),
    *("before_evaluation", "predict", "evaluated", "judged"),
)


class Method(Stepping):
    """One optimizer step on the mean objective.

    A method owns its nets and optimizers, made in `__init__` and only chosen later: its
    `state_dict()` is the whole checkpoint.
    """

    nothing_to_search = "has no settings: what it trains by is the recipe"
    # Fields of a trial that the method has its own for: another than the default would be ignored.
    replaces: tuple[str, ...] = ()
    meta = False  # whether its batches have clean images besides, of a meta-set: Batch.meta
    views = 1  # of each image in a batch, independently augmented: 1, or 2 for Batch.other
    # The sampler that the method trains by, where it draws its batches by a rule of its own.
    sampling: Use | None = None

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__()
        self.model = model
        self.epoch = 0  # the running one, counted from 0
        # Several workers have each a part of the batch: then it gives the whole one, of all.
        self.whole: Whole = lambda batch, out: (batch, out)
        recipe = task.recipe
        self.optimizer = SGD(
            model.parameters(),
            lr=recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
        )

    @classmethod
    def takes_distances(cls, **settings: Any) -> bool:
        """Whether the head must emit a squared distance to each class, by the settings."""
        return False

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        """Whether the mean gradient of a batch's parts is that of the batch, by the settings.

        If so, several workers may train one trial. By default it is where the step is ordinary. A
        method with one of its own must say so: where it relates no images of a batch to each
        other, and changes nothing but by its optimizers.
        """
        return cls.update is Method.update and cls.step is Method.step

    @classmethod
    def captures(cls, **settings: Any) -> bool:
        """Whether a GPU may repeat a step's kernels, as its passes are those of an ordinary one."""
        ordinary = cls.update is Method.update and cls.step is Method.step
        return ordinary and cls.views == 1 and not cls.meta

    @classmethod
    def fuses(cls, **settings: Any) -> bool:
        """Whether all of its training is ordinary, so that nets of several trials may be one net.

        A method with a step, nets, stages or an evaluation of its own is not.
        """
        return all(getattr(cls, name) is getattr(Method, name) for name in ORDINARY)

    def start_epoch(self, epoch: int, sweep: Sweep) -> None:
        """Called before the first step of an epoch, in evaluation mode, without gradient.

        An epoch that is resumed inside does not start again: what is found out here must be part of
        the state.
        """
        self.epoch = epoch

    def sampling_in(self, epoch: int) -> Use | None:
        """The method's own sampler in an epoch; None: the recipe's."""
        return self.sampling

    def lr(self, planned: float) -> float:
        """The rate of a step of the running epoch, where the recipe plans another."""
        return planned

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        """One training step. Returns batch means by name, on the device: "loss", "accuracy"."""
        out = self.model(batch.x)
        return self.step(batch, out, self.model.objective(batch, out).mean(), lr)

    def step(self, batch: Batch, out: Out, loss: Tensor, lr: float) -> dict[str, Tensor]:
        """The weights changed by the gradient of `loss`, a scalar; what `update` returns."""
        descend(self.optimizer, loss, lr)
        return self.observed(batch, out, loss)

    def follow(self, lr: float) -> None:
        """The optimizer's step at that rate, along gradients that are there already."""
        follow(self.optimizer, lr)

    @torch.no_grad()
    def observed(self, batch: Batch, out: Out, loss: Tensor) -> dict[str, Tensor]:
        """What comes after the optimizer's step: parts observe it. Returns what `update` does."""
        seen = self.whole(batch, out.detach())
        self.model.targets.observe(*seen)
        self.model.loss.observe(*seen)
        hits = (out.scores.argmax(1) == batch.y).float().mean()
        return {"loss": loss.detach(), "accuracy": hits}

    def before_evaluation(self, sweep: Sweep) -> None:
        """Called after the last step of an epoch, in evaluation mode, without gradient.

        Where what the model predicts by follows from the training set, it is found out here.
        """

    def tables(self, sweep: Sweep, last: bool) -> dict[str, dict[str, Tensor]]:
        """What figures show of the method: tables by name, columns (n,) or (n, m) by name.

        Called after a few evenly spaced epochs, and with `last` at the end, as `start_epoch`. The
        column "index" has places of training images; their class names are written beside it.
        """
        return {}

    def end_epoch(self) -> None:
        """Called after the last step of an epoch."""
        self.model.targets.end_epoch()

    def predict(self, x: Tensor) -> Tensor:
        """(n, classes) scores, in evaluation mode."""
        scores: Tensor = self.model(x).scores
        return scores

    def evaluated(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """What `predict` gives, and which images are right by the head's other rules.

        By name, (n,) each. Their means are metrics of an epoch.
        """
        return self.judged(batch, self.model(batch.x))

    def judged(self, batch: Batch, out: Out) -> tuple[Tensor, dict[str, Tensor]]:
        """The same, of what the model has said of the batch."""
        return out.scores, self.model.head.hits(out.output, batch.y)

    def get_extra_state(self) -> dict[str, Any]:
        states = {name: optimizer.state_dict() for name, optimizer in self.optimizers().items()}
        return {"epoch": self.epoch, **states}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        for name, optimizer in self.optimizers().items():
            optimizer.load_state_dict(state[name])

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Those that it owns, by attribute."""
        owned = vars(self).items()
        return {name: value for name, value in owned if isinstance(value, torch.optim.Optimizer)}
