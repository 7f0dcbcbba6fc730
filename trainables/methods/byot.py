"""BYOT: the deepest classifier teaches those at earlier stages (Zhang et al., ICCV 2019)."""

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.data.data import Batch
from trainables.heads.head import Head
from trainables.losses.knowledge import divergence
from trainables.methods.method import Method
from trainables.model import Model
from trainables.seeding import seeded
from trainables.settings import Fraction, Positive, Suggest, Weight
from trainables.task import Out, Task


def softened(scores: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T^2 * KL(t || p), (n,), with t and p the softmax of (n, classes) / T; t is a constant."""
    log_t = F.log_softmax(teacher.detach() / temperature, dim=1)
    return temperature**2 * divergence(log_t, F.log_softmax(scores / temperature, dim=1))


def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Two depthwise separable convolutions, the first with the stride, the second to `outputs`."""
    layers: list[nn.Module] = []
    for channels, step in ((inputs, stride), (outputs, 1)):
        layers += [
            nn.Conv2d(inputs, inputs, 3, step, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class Side(nn.Module):
    """A classifier on a stage's maps: a separable step for each later stage, mean, head."""

    def __init__(self, shapes: list[tuple[int, int]], head: "Head") -> None:
        """`shapes`: (channels, side) of the stage's maps and of those of each later one."""
        super().__init__()
        steps = [separable(a, b, round(m / n)) for (a, m), (b, n) in pairwise(shapes)]
        self.adapter = nn.Sequential(*steps)
        self.head = head

    def forward(self, maps: Tensor) -> Out:
        features = self.adapter(maps).mean((2, 3))
        output = self.head(features)
        return Out(features, output, self.head.scores(output).float(), ())


class BYOT(Method):
    """Side classifiers after each stage but the last, taught by the labels and the deepest one.

    The loss is the objective + for each side classifier (1 - alpha) * its loss to the same target +
    alpha * T^2 * KL to the deepest's softmax at `temperature` + `hint` (the paper's lambda) * the
    squared distance of its features to the deepest's. The deepest is a constant there; it alone is
    evaluated, kept, and observed by the targets. Side classifiers have the trial's kind of head on
    separable convolutions, as in the authors' scalable networks. OLS's tables have no supervision
    of features: hint = 0. alpha and temperature are those of a public re-implementation
    (luanyunteng's, which weighs the deepest's loss by 1 - alpha, too, and has hint = 1e-6).
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        *,
        alpha: Fraction = 0.1,
        temperature: Positive = 3.0,
        hint: Weight = 0.0,
    ) -> None:
        super().__init__(model, task)
        self.alpha, self.temperature, self.hint = alpha, temperature, hint
        shapes = stage_shapes(model.net, task)
        self.sides = nn.ModuleList()
        for place in range(len(shapes) - 1):
            with seeded(task.seed, "side", place):
                head = task.parts.head.build(task, shapes[-1][0])
                self.sides.append(task.placed(Side(shapes[place:], head)))
        if self.sides:
            self.optimizer.add_param_group({"params": list(self.sides.parameters())})

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        out = self.model(batch.x)
        target = self.model.target(batch, out)
        loss = self.model.loss(out, target, batch)
        for side, maps in zip(self.sides, out.stages, strict=False):
            with self.model.autocast():
                said = side(maps)
            label = self.model.loss(said, target.detach(), batch)
            taught = softened(said.scores, out.scores, self.temperature)
            loss = loss + (1 - self.alpha) * label + self.alpha * taught
            if self.hint:
                apart = said.features.float() - out.features.detach().float()
                loss = loss + self.hint * apart.square().sum(1)
        return self.step(batch, out, loss.mean(), lr)

    @classmethod
    def splits(cls, **settings: Any) -> bool:
        return True

    @classmethod
    def suggest(cls, trial: Suggest) -> dict[str, object]:
        return {
            "alpha": trial.suggest_float("alpha", 0, 1),
            "temperature": trial.suggest_float("temperature", 1, 10, log=True),
        }


@torch.no_grad()
def stage_shapes(net: nn.Module, task: Task) -> list[tuple[int, int]]:
    """(channels, side) of the maps of each stage, seen on a black image; changes no state."""
    image = torch.zeros(1, task.channels, task.side, task.side, device=task.device)
    training = net.training
    stages = net.eval()(image)[1]
    net.train(training)
    return [(maps.shape[1], maps.shape[3]) for maps in stages]
