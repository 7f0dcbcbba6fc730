"""Center loss by hand, and its update against a slow transcription of equation 4."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tests.trainables.small import batch, small_task
from trainables.losses.center import CenterLoss, moved
from trainables.settings import Use
from trainables.task import Out


def loss(features: int = 2, **settings: object) -> CenterLoss:
    task = small_task()
    object.__setattr__(task, "features", features)
    built: CenterLoss = Use(CenterLoss, **settings).build(task)
    return built


def said(features: Tensor, scores: Tensor | None = None) -> Out:
    scores = torch.zeros(len(features), 3) if scores is None else scores
    return Out(features, scores, scores, ())


def test_the_squared_distance_to_the_centre_is_added_by_hand() -> None:
    built = loss(weight=0.5)
    built.centres.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    features, label = torch.tensor([[4.0, 4.0], [3.0, 4.0]]), torch.eye(3)[:2]
    found = built(said(features), label, batch([0, 1]))
    log3 = torch.tensor(3.0).log()
    assert_close(found, torch.stack([log3 + 0.25 * 25, log3 + 0.25 * 25]))


def test_features_are_pulled_to_their_centre_by_the_gradient() -> None:
    built = loss(weight=0.5)
    features = torch.tensor([[4.0, 2.0]], requires_grad=True)
    built(said(features), torch.eye(3)[:1], batch([0])).sum().backward()
    assert_close(features.grad, 0.5 * torch.tensor([[4.0, 2.0]]))


def test_centres_move_by_hand() -> None:
    centres = torch.tensor([[2.0, 0.0], [0.0, 4.0], [5.0, 5.0]])
    features = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 0.0]])
    # Class 0: (2 - 0 + 2 - 4) / 3 = 0; class 1: 4 / 2, half of it; class 2 is not in the batch.
    expected = torch.tensor([[2.0, 0.0], [0.0, 3.0], [5.0, 5.0]])
    assert_close(moved(centres, features, torch.tensor([0, 0, 1]), 0.5), expected)


def slow(centres: Tensor, features: Tensor, y: list[int], rate: float) -> Tensor:
    """Equation 4, class by class and image by image."""
    new = centres.clone()
    for j in range(len(centres)):
        delta, n = torch.zeros_like(centres[j]), 0
        for f, label in zip(features, y, strict=True):
            if label == j:
                delta, n = delta + centres[j] - f, n + 1
        new[j] = centres[j] - rate * delta / (1 + n)
    return new


@pytest.mark.parametrize("y", [[0, 2, 0, 1, 1], [3, 3, 3, 3, 3]])
def test_the_update_is_that_of_a_slow_transcription(y: list[int]) -> None:
    chance = torch.Generator().manual_seed(0)
    centres, features = torch.randn(4, 6, generator=chance), torch.randn(5, 6, generator=chance)
    found = moved(centres, features, torch.tensor(y), 0.5)
    assert_close(found, slow(centres, features, y, 0.5))


def test_centres_move_when_a_step_is_observed() -> None:
    built = loss()
    built.observe(batch([1]), said(torch.tensor([[4.0, 8.0]])))
    assert built.centres.tolist() == [[0, 0], [1, 2], [0, 0]]  # half of half the way


def test_the_ports_update_is_a_step_of_sgd_on_the_mean_squared_distance() -> None:
    built = loss(update="gradient")
    built.centres.copy_(torch.randn(3, 2, generator=torch.Generator().manual_seed(0)))
    centres = built.centres.clone().requires_grad_()
    features, y = torch.randn(4, 2), [0, 1, 1, 0]
    (features - centres[y]).square().sum(1).mean().backward()
    assert centres.grad is not None
    expected = centres.detach() - 0.5 * centres.grad
    built.observe(batch(y), said(features))
    assert_close(built.centres, expected)
