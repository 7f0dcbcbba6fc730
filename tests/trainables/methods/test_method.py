import re
from copy import deepcopy
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from trainables.data.data import Batch
from trainables.losses.sce import SymmetricCrossEntropy
from trainables.methods.method import Method, last_stage
from trainables.model import Model
from trainables.settings import Invalid, Use
from trainables.targets.one_hot import OneHot
from trainables.targets.smooth import Smooth
from trainables.task import Out, Task


class Diary(OneHot):
    """Notes what it is told, and whether gradients were on."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.notes: list[str] = []

    def observe(self, batch: Batch, out: Out) -> None:
        graph = torch.is_grad_enabled() or out.scores.requires_grad
        self.notes.append("observe with gradient" if graph else "observe")

    def end_epoch(self) -> None:
        self.notes.append("end of epoch")


class Double(Method):
    """Two optimizers."""

    def __init__(self, model: Model, task: Task) -> None:
        super().__init__(model, task)
        self.second = torch.optim.Adam(model.head.parameters())


def method(part: type[Method] = Method, **recipe: Any) -> Method:
    settings = {f"recipe.{name}": value for name, value in recipe.items()}
    built: Method = pixel_method(part, [0, 1, 2], targets=Use(Diary), **settings)
    return built


def lit(built: Method) -> Tensor:
    """The weights of the lit pixel, one a class."""
    weight: Tensor = built.model.head.classifier.weight.detach()
    assert not weight[:, 1:].any()
    return weight[:, 0]


def test_a_step_goes_down_the_gradient_by_the_rate_that_is_given() -> None:
    built = method(lr=1.0)
    built.update(batch([0], X), lr=0.3)  # the gradient is p - label = (-2/3, 1/3, 1/3)
    assert_close(lit(built), tensor([0.2, -0.1, -0.1]))


def test_the_loss_and_the_accuracy_are_those_before_the_step() -> None:
    metrics = method().update(batch([0, 1], X.repeat(2, 1, 1, 1)), lr=0.3)
    assert_close(metrics["loss"], tensor(log(3)))
    assert_close(metrics["accuracy"], tensor(0.5))  # of equal scores the first is the prediction
    assert not metrics["loss"].requires_grad


def test_the_gradient_is_of_the_mean_over_the_batch() -> None:
    built = method()
    built.update(batch([0, 0], torch.cat([X, 0 * X])), lr=0.3)
    assert_close(lit(built), tensor([0.1, -0.05, -0.05]))


def test_weight_decay_pulls_towards_zero() -> None:
    built = method(weight_decay=0.5)
    with torch.no_grad():
        built.model.head.classifier.weight[:, 0] = 2.0
    built.update(batch([0], X), lr=0.3)  # the decay's part of the gradient: 0.5 * 2
    assert_close(lit(built), tensor([2.0, 2.0, 2.0]) + tensor([0.2, -0.1, -0.1]) - 0.3)


@pytest.mark.parametrize(("nesterov", "first", "second"), [(False, 1, 0.5), (True, 1.5, 0.25)])
def test_momentum_repeats_a_share_of_the_last_step(
    nesterov: bool, first: float, second: float
) -> None:
    # Of the gradients g and 0: v = g and g / 2. A step is v; with Nesterov the gradient + v / 2.
    built = method(momentum=0.5, nesterov=nesterov)
    once = tensor([0.2, -0.1, -0.1])
    built.update(batch([0], X), lr=0.3)
    assert_close(lit(built), first * once)
    built.update(batch([0], 0 * X), lr=0.3)  # a dark image: no gradient for the weights
    assert_close(lit(built), (first + second) * once)


def test_targets_observe_once_a_step_without_gradient_and_hear_of_the_end_of_an_epoch() -> None:
    built = method()
    built.update(batch([0], X), lr=0.1)
    built.update(batch([1], X), lr=0.1)
    built.end_epoch()
    assert built.model.targets.notes == ["observe", "observe", "end of epoch"]


def test_the_prediction_is_the_models_scores() -> None:
    built = method()
    built.update(batch([0], X), lr=0.3)
    assert_close(built.predict(X), built.model(X).scores)


def test_an_evaluation_has_scores_and_the_heads_other_hits_in_one_pass() -> None:
    built, seen = method(), []
    built.model.net.register_forward_hook(lambda *_: seen.append("pass"))
    built.model.head.hits = lambda output, y: {"zero": output.argmax(1) == 0 * y}
    scores, hits = built.evaluated(batch([1], X))
    assert seen == ["pass"]
    assert_close(scores, built.predict(X))
    assert {name: right.tolist() for name, right in hits.items()} == {"zero": [True]}


def test_the_state_holds_weights_and_momentum_so_that_another_goes_on_the_same() -> None:
    one, other = method(momentum=0.9), method(momentum=0.9)
    one.update(batch([0], X), lr=0.3)
    other.load_state_dict(deepcopy(one.state_dict()))
    for built in (one, other):
        built.update(batch([2], X), lr=0.3)
    assert torch.equal(lit(one), lit(other))


def test_the_state_holds_the_epoch_but_not_the_rate() -> None:
    one, other = method(), method()
    one.start_epoch(3, lambda: iter([]))
    other.load_state_dict(one.state_dict())
    assert other.epoch == 3
    assert other.lr(0.25) == 0.25


class Own(Method):
    """Has targets and a loss of its own."""

    replaces = ("targets", "loss")


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ({"targets": Use(Smooth)}, "trial.targets = Smooth(): must be OneHot: Own has targets of"),
        (
            {"loss": Use(SymmetricCrossEntropy)},
            "trial.loss = SymmetricCrossEntropy(): must be CrossEntropy: Own has loss of its own",
        ),
    ],
)
def test_parts_that_a_method_would_ignore_are_refused(part: dict[str, Use], line: str) -> None:
    with pytest.raises(Invalid, match=re.escape(line)):
        small_trial(method=Use(Own), **part)
    assert small_trial(**part).method == Use(Method)
    assert small_trial(method=Use(Own)).method == Use(Own)


def test_the_state_of_every_optimizer_is_kept() -> None:
    one, other = method(Double), method(Double)
    for weight in one.model.head.parameters():
        weight.grad = torch.ones_like(weight)
    assert isinstance(one, Double)
    assert isinstance(other, Double)
    one.second.step()
    other.load_state_dict(one.state_dict())
    state = other.second.state_dict()["state"]
    assert state.keys() == one.second.state_dict()["state"].keys()
    assert all(entry["step"] == 1 for entry in state.values())


def test_a_last_stage_begins_at_its_share_and_has_one_epoch_at_least() -> None:
    assert [last_stage(start, 20) for start in (0.0, 0.5, 0.81, 0.9)] == [0, 10, 17, 18]
    assert [last_stage(0.9, epochs) for epochs in (1, 2, 3)] == [0, 1, 2]
