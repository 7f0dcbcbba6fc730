"""GCPL by hand."""

import math

import pytest
import torch
from torch.testing import assert_close

from tests.trainables.small import batch, small_task, small_trial
from trainables.heads.prototypes import Prototypes
from trainables.losses.gcpl import GCPL
from trainables.settings import Invalid, Use
from trainables.task import Out


def test_distance_based_cross_entropy_and_the_distance_to_the_own_prototype() -> None:
    distances = torch.tensor([[1.0, 3.0, 4.0]])
    said = Out(distances, distances, -0.5 * distances, ())
    total = sum(math.exp(-0.5 * d) for d in (1, 3, 4))
    expected = 0.5 * 3 + math.log(total) + 0.1 * 3
    loss = GCPL(small_task(), weight=0.1)
    assert_close(loss(said, torch.eye(3)[[1]], batch([1])), torch.tensor([expected]))


def test_prototypes_and_features_are_pulled_together() -> None:
    head = Prototypes(small_task(), 2)
    features = torch.tensor([[3.0, 1.0]], requires_grad=True)
    output = head(features)
    loss = GCPL(small_task(), weight=1)
    loss(Out(features, output, head.scores(output), ()), torch.eye(3)[:1], batch([0])).backward()
    # All prototypes are at 0: cross-entropy pulls features nowhere, the other term by 2 f.
    assert_close(features.grad, torch.tensor([[6.0, 2.0]]))
    # Of cross-entropy 2 (1 - 1/3) f towards f, and 2 f.
    assert head.prototypes.grad is not None
    assert_close(head.prototypes.grad[0], -(4 / 3 + 2) * torch.tensor([3.0, 1.0]))
    assert_close(head.prototypes.grad[1], 2 / 3 * torch.tensor([3.0, 1.0]))


def test_it_takes_a_head_that_emits_distances() -> None:
    with pytest.raises(Invalid) as refused:
        small_trial(loss=Use(GCPL))
    assert str(refused.value) == (
        "trial.head = Linear(): must be one that emits squared distances, as Prototypes: GCPL() "
        "takes them"
    )
    assert small_trial(loss=Use(GCPL), head=Use(Prototypes)).loss == Use(GCPL)
