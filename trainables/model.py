"""Model: net, head, targets and loss, put together for one task."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.heads.head import Head
from trainables.losses.loss import Loss
from trainables.nets.net import Net
from trainables.seeding import seeded
from trainables.targets.targets import Targets
from trainables.task import Out, Task


def fresh(task: Task, purpose: str = "model") -> "Model":
    """A new model; its initial weights depend on the task's seed and the purpose alone."""
    parts = task.parts
    with seeded(task.seed, f"{purpose}.net"):
        net = parts.net.build(task)
    with seeded(task.seed, f"{purpose}.head"):
        head = parts.head.build(task, net.features)
    task = replace(task, features=net.features)
    targets, loss = parts.targets.build(task), parts.loss.build(task)
    return task.placed(Model(net, head, targets, loss, task))


class Model(nn.Module):
    """A net with its head, the targets it is trained towards and the loss between them."""

    def __init__(self, net: Net, head: Head, targets: Targets, loss: Loss, task: Task) -> None:
        super().__init__()
        self.net, self.head, self.targets, self.loss = net, head, targets, loss
        low = task.recipe.precision == "bfloat16"
        self._autocast: dict[str, Any] = {"device_type": task.device.type, "enabled": low}

    def autocast(self) -> torch.autocast:
        """Where sums are taken in the recipe's precision."""
        return torch.autocast(dtype=torch.bfloat16, **self._autocast)

    def in_float32(self) -> None:
        """From now on sums are taken in float32, whatever the recipe says."""
        self._autocast["enabled"] = False

    def forward(self, x: Tensor) -> Out:
        with self.autocast():
            features, stages = self.net(x)
        return self.said(features, stages)

    def said(self, features: Tensor, stages: tuple[Tensor, ...]) -> Out:
        """What the model says, from what its net has emitted."""
        with self.autocast():
            output = self.head(features)
        return Out(features, output, self.scores(output), stages)

    def scores(self, output: Tensor) -> Tensor:
        """(n, classes) of what the head emits, in float32 at least."""
        scores: Tensor = self.head.scores(output)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def objective(self, batch: Batch, out: Out) -> Tensor:
        """(n,) the loss of each image; changes no state."""
        loss: Tensor = self.loss(out, self.target(batch, out), batch)
        return loss

    def target(self, batch: Batch, out: Out) -> Tensor:
        """What the net should emit, in the form that the loss takes; changes no state."""
        target: Tensor = (self.targets.log if self.loss.logarithmic else self.targets)(batch, out)
        return target
