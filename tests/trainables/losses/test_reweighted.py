"""Re-weighting of any loss, by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from tests.trainables.small import NAMES, batch, out, small_trial, tiny_task
from trainables.heads.prototypes import Prototypes
from trainables.losses.center import CenterLoss
from trainables.losses.gcpl import GCPL
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.ldam import LDAM
from trainables.losses.reweighted import Reweighted
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth

Z = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
LABEL = torch.eye(2)[[0, 1, 1]]
PLAIN = torch.nn.functional.cross_entropy(Z, LABEL, reduction="none")


def loss(**settings: Any) -> Reweighted:
    """Of two classes with 3 and 1 images: by the inverse their weights are 0.5 and 1.5."""
    y = torch.tensor([0, 0, 0, 1])
    trial = small_trial()
    task = tiny_task(trial.but(recipe=trial.recipe.but(epochs=10)), NAMES[:2], y)
    built: Reweighted = Use(Reweighted, **settings).build(task)
    return built


def test_each_image_counts_by_its_class() -> None:
    expected = torch.tensor([0.5, 1.5, 1.5]) * PLAIN
    assert_close(loss()(out(Z), LABEL, batch([0, 1, 1])), expected)


def test_divided_by_weights_the_mean_is_that_of_weighted_cross_entropy() -> None:
    weight = torch.tensor([0.5, 1.5])
    expected = torch.nn.functional.cross_entropy(Z, torch.tensor([0, 1, 1]), weight=weight)
    assert_close(loss(mean="weights")(out(Z), LABEL, batch([0, 1, 1])).mean(), expected)


def test_it_starts_with_the_epoch_after_its_share_of_the_training() -> None:
    late = loss(start=0.8)
    for epoch, weighted in ((0, False), (7, False), (8, True), (9, True)):
        found = late(out(Z), LABEL, replace(batch([0, 1, 1]), epoch=epoch))
        assert found.allclose(PLAIN) != weighted


def test_any_loss_is_weighted_and_observes() -> None:
    inner = loss(loss=Use(LDAM)).loss
    assert isinstance(inner, LDAM)
    expected = torch.tensor([0.5, 1.5, 1.5]) * inner(out(Z), LABEL, batch([0, 1, 1]))
    assert_close(loss(loss=Use(LDAM))(out(Z), LABEL, batch([0, 1, 1])), expected)


def test_what_the_loss_learns_it_learns_inside_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(CenterLoss, "observe", lambda self, batch, out: seen.append(batch))
    given = batch([0, 1, 1])
    loss(loss=Use(CenterLoss)).observe(given, out(Z))
    assert seen == [given]


def test_what_the_loss_needs_is_needed_of_the_trial() -> None:
    inner = Use(Reweighted, loss=Use(KnowledgeLoss))
    with pytest.raises(Invalid, match="must be distributions with some probability for every"):
        small_trial(loss=inner)
    assert small_trial(loss=inner, targets=Use(Smooth)).loss == inner
    assert loss(loss=Use(KnowledgeLoss)).logarithmic
    with pytest.raises(Invalid, match="must be one that emits squared distances"):
        small_trial(loss=Use(Reweighted, loss=Use(GCPL)))
    assert small_trial(loss=Use(Reweighted, loss=Use(GCPL)), head=Use(Prototypes))
