"""A net, its head, targets and loss, put together for one task."""

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import Pixels, X, batch, small_trial, tiny_task
from trainables.model import Model, fresh
from trainables.nets.resnet import CifarResNet
from trainables.settings import Use
from trainables.targets.smooth import Smooth
from trainables.task import Task

NAMES = ("a", "b", "c")


def task(**changes: object) -> Task:
    trial = small_trial(net=Use(Pixels), **changes)
    return tiny_task(trial, NAMES, tensor([0, 1, 2]))


def weights(model: Model) -> torch.Tensor:
    return torch.cat([parameter.flatten() for parameter in model.parameters()])


def test_the_first_weights_depend_on_the_seed_and_the_purpose_alone() -> None:
    one = weights(fresh(task()))
    torch.manual_seed(1)  # as in another process, where other numbers were drawn before
    assert torch.equal(weights(fresh(task())), one)
    assert torch.equal(weights(fresh(task(targets=Use(Smooth)))), one)
    assert not torch.equal(weights(fresh(task(seed=1))), one)
    assert not torch.equal(weights(fresh(task(), "another net")), one)


def test_making_a_model_draws_nothing_that_others_would_have_drawn() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    fresh(task())
    assert torch.equal(torch.rand(1), expected)


def test_features_go_through_the_head_to_scores_and_these_to_the_loss() -> None:
    model = fresh(task(targets=Use(Smooth, epsilon=0.3)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.head.classifier.weight[0, 0] = 2.0  # of the lit pixel, for the first class
    out = model(X)
    assert_close(out.features, tensor([[1.0, 0.0, 0.0, 0.0]]))
    assert_close(out.scores, tensor([[2.0, 0.0, 0.0]]))
    log_p = tensor([2.0, 0.0, 0.0]).log_softmax(0)
    expected = -(tensor([0.8, 0.1, 0.1]) * log_p).sum()
    assert_close(model.objective(batch([0], X), out), expected[None])


@pytest.mark.parametrize(
    ("precision", "kind"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)]
)
def test_sums_are_taken_in_the_recipes_precision_and_scores_in_float32(
    precision: str, kind: torch.dtype
) -> None:
    out = fresh(task(**{"recipe.precision": precision}))(X)
    assert out.output.dtype == kind
    assert out.scores.dtype == torch.float32


@pytest.mark.parametrize(("width", "kept"), [(15, False), (16, True)])
def test_channels_last_is_left_where_onednn_would_get_it_wrong(width: int, kept: bool) -> None:
    """Strided convolutions of 1 x 1 with few inputs break the heap (oneDNN's issue 6035)."""
    trial = small_trial(net=Use(CifarResNet, depth=8, width=width, shortcut="B"))
    trial = trial.set({"recipe.memory_format": "channels_last"})
    model = fresh(tiny_task(trial, NAMES, tensor([0, 1, 2]), side=8))
    last = [p for p in model.net.parameters() if p.dim() == 4 and p.shape[-1] == 3][-1]
    assert last.is_contiguous(memory_format=torch.channels_last) is kept
