"""MetaLearned: what weighs the images of a step is learned from clean images (a meta-set)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.bilevel import double_backward, forward_mode, meta_loss
from trainables.data.data import Batch
from trainables.methods.method import Method
from trainables.model import Model
from trainables.optimizers import Adam
from trainables.seeding import seeded
from trainables.settings import Interval
from trainables.tangent import Pass
from trainables.task import Task

Advice = tuple[Tensor, ...]
Gradient = Literal["forward", "lean", "double"]
Precision = Literal["float32", "recipe"]
Layers = Annotated[int, Interval("[0, inf)")] | None


class Bilevel(NamedTuple):
    """How a meta step is computed.

    - `gradient`: in which way of `trainables.bilevel`; "lean" gives what "forward" gives with three
      quarters of its memory and some more time, since the training batch is shown twice;
    - `precision`: bfloat16 makes the hyper-gradient 4 to 14 % wrong, so that the whole trial is
      computed in float32 unless "recipe" is asked for;
    - `layers`: the hyper-gradient flows through so many last weight tensors of the net, and the
      head; None: through all. FaMUS (Xu et al., CVPR 2021) learns which of the last 15 those are;
    - `noted`: the meta batch moves the running statistics, too.
    """

    gradient: Gradient = "forward"
    precision: Precision = "float32"
    layers: int | None = None
    noted: bool = False


class MetaLearned(Method, ABC):
    """A virtual step, a meta step and an actual step for each batch (Shu et al. 2019, figure 2).

    The virtual step is plain SGD at the current rate, weighted as the advice is now. The meta step
    changes what gives the advice by the gradient of the cross-entropy of a clean batch after it.
    The actual step, by the recipe's optimizer, is weighted by the new advice. Virtual and actual
    step share one forward pass, after which the running statistics have moved once.
    """

    meta = True
    replaces = ("targets", "loss")

    def __init__(self, model: Model, task: Task, bilevel: Bilevel) -> None:
        super().__init__(model, task)
        self.bilevel = bilevel
        if bilevel.precision == "float32":
            model.in_float32()

    @abstractmethod
    def begin(self, y: Tensor) -> Sequence[Tensor]:
        """Called once a step, for a batch with labels (n,): what the hyper-gradient is taken by."""

    @abstractmethod
    def advise(self, features: Tensor, losses: Tensor) -> Advice:
        """From features (n, d) and losses (n,), both without gradient, to what weighs the step."""

    @abstractmethod
    def weighted(self, features: Tensor, y: Tensor, advice: Advice) -> Tensor:
        """The loss of features (n, d) with labels (n,), a scalar."""

    @abstractmethod
    def learn(self, gradient: Sequence[Tensor]) -> None:
        """The meta step, by the hyper-gradient for each tensor that `begin` gave."""

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        how = self.bilevel
        shown = Pass(self.model, batch.x)
        features = shown.out.features.detach()
        losses = F.cross_entropy(shown.out.scores.detach(), batch.y, reduction="none")
        theta = self.begin(batch.y)
        weigh = self._objective(batch.y, self.advise(features, losses))
        assert batch.meta is not None, "its trials have a meta-set"
        meta = partial(meta_loss, self.model, batch=batch.meta, noted=how.noted)
        if how.gradient == "double":
            learned = double_backward(
                self.model, shown.out.features, weigh, meta, theta, lr, how.layers
            )
        else:
            lean = how.gradient == "lean"
            learned = forward_mode(shown, weigh, meta, theta, lr, how.layers, lean)
        self.learn(learned)
        with torch.no_grad():
            advice = self.advise(features, losses)
        loss = self._objective(batch.y, advice)(shown.out.features)
        return self.step(batch, shown.out, loss, lr)

    def _objective(self, y: Tensor, advice: Advice) -> Callable[[Tensor], Tensor]:
        return lambda features: self.weighted(features, y, advice)

    def cross_entropies(self, features: Tensor, y: Tensor) -> Tensor:
        """(n,) of the head's scores."""
        return F.cross_entropy(self.scores(features), y, reduction="none")

    def scores(self, features: Tensor) -> Tensor:
        """(n, classes) of the head."""
        with self.model.autocast():
            output = self.model.head(features)
        return self.model.scores(output)

    def seen(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the advice follows from: features (n, d) and losses (n,), without gradient."""
        out = self.model(batch.x)
        return out.features.detach(), F.cross_entropy(out.scores, batch.y, reduction="none")


class Advised(MetaLearned, ABC):
    """The advice is that of a net of its own, learned by Adam and dropped after training."""

    def __init__(
        self,
        model: Model,
        task: Task,
        make: Callable[[], nn.Module],
        bilevel: Bilevel,
        *,
        lr: float,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(model, task, bilevel)
        with seeded(task.seed, "advisor"):
            self.net = task.placed(make())
        self.adam = Adam(self.net.parameters(), lr=lr, weight_decay=weight_decay)

    def begin(self, y: Tensor) -> Sequence[Tensor]:
        return list(self.net.parameters())

    def learn(self, gradient: Sequence[Tensor]) -> None:
        for weight, g in zip(self.net.parameters(), gradient, strict=True):
            weight.grad = g
        self.adam.step()
