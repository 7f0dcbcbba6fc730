"""Self-paced learning by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import NAMES, batch, out, small_task, small_trial, tiny_task
from trainables.data.data import Batch
from trainables.heads.prototypes import Prototypes
from trainables.losses.center import CenterLoss
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.gcpl import GCPL
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.sce import SymmetricCrossEntropy
from trainables.losses.self_paced import SelfPaced
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth
from trainables.task import Out


def loss(**settings: Any) -> SelfPaced:
    """Of two classes, in a training of 10 epochs."""
    trial = small_trial()
    trial = trial.but(recipe=trial.recipe.but(epochs=10))
    built: SelfPaced = Use(SelfPaced, **settings).build(tiny_task(trial, NAMES[:2], tensor([0, 1])))
    return built


def scores(losses: list[float]) -> Tensor:
    """Such that cross-entropy to class 0 is `losses`."""
    p = (-tensor(losses)).exp()
    return torch.stack([p, 1 - p], dim=1).log()


def labelled(images: int, epoch: int = 0) -> Batch:
    return replace(batch([0] * images), epoch=epoch)


def found(built: SelfPaced, losses: list[float], epoch: int = 0) -> Tensor:
    images = len(losses)
    label = torch.eye(2)[[0] * images]
    value: Tensor = built(out(scores(losses)), label, labelled(images, epoch))
    return value


def observed(built: SelfPaced, losses: list[float], epoch: int = 0) -> float:
    built.observe(labelled(len(losses), epoch), out(scores(losses)))
    return float(built.threshold)


def test_at_first_the_share_of_the_smallest_losses_is_in() -> None:
    assert_close(found(loss(share=0.5), [4.0, 1.0, 3.0, 2.0]), tensor([0.0, 1.0, 0.0, 2.0]))
    assert_close(found(loss(share=0.25), [4.0, 1.0, 3.0, 2.0]), tensor([0.0, 1.0, 0.0, 0.0]))


def test_an_image_that_is_not_in_has_no_gradient_and_the_mean_is_over_all() -> None:
    said = scores([3.0, 1.0, 4.0, 2.0]).requires_grad_()
    loss()(out(said), torch.eye(2)[[0] * 4], labelled(4)).mean().backward()
    assert said.grad is not None
    assert said.grad[[0, 2]].tolist() == [[0, 0], [0, 0]]
    # Of cross-entropy p - t, a quarter of it.
    p = (-tensor([1.0, 2.0])).exp()
    assert_close(said.grad[[1, 3]], torch.stack([p - 1, 1 - p], dim=1) / 4)


def test_the_share_grows_in_a_line_until_all_are_in() -> None:
    built = loss(share=0.5, full=0.8)
    shares = [built.share(epoch) for epoch in (0, 2, 4, 6, 8, 9)]
    assert shares == pytest.approx([0.5, 0.625, 0.75, 0.875, 1, 1])
    counts = [int((found(built, [1, 2, 3, 4], epoch) > 0).sum()) for epoch in (0, 4, 8, 9)]
    assert counts == [2, 3, 4, 4]


def test_when_the_share_is_full_no_loss_is_too_large() -> None:
    built = loss(full=0.8)
    observed(built, [1, 1, 1, 1])
    assert_close(found(built, [1.0, 9.0], epoch=7), tensor([1.0, 0.0]))
    assert_close(found(built, [1.0, 9.0], epoch=8), tensor([1.0, 9.0]))
    built = loss(share=1)
    observed(built, [1, 1, 1, 1])
    assert_close(found(built, [1.0, 9.0], epoch=0), tensor([1.0, 9.0]))


def test_the_threshold_is_a_moving_average_of_quantiles() -> None:
    built = loss(share=0.5, full=0.8)
    assert observed(built, [1, 2, 3, 4]) == pytest.approx(2.5)
    assert observed(built, [3, 4, 5, 6]) == pytest.approx(0.9 * 2.5 + 0.1 * 4.5)
    # In epoch 4 the share is 0.75: a quarter of the way from 3 to 4.
    assert observed(built, [1, 2, 3, 4], epoch=4) == pytest.approx(0.9 * 2.7 + 0.1 * 3.25)


def test_images_are_compared_with_the_steps_before_not_with_their_batch() -> None:
    built = loss()
    observed(built, [1, 2, 3, 4])
    assert_close(found(built, [2.4, 2.6, 8.0, 9.0]), tensor([2.4, 0.0, 0.0, 0.0]))
    assert_close(found(built, [0.1, 0.2, 0.3, 2.4]), tensor([0.1, 0.2, 0.3, 2.4]))


def test_where_all_losses_are_equal_all_images_are_in() -> None:
    built = loss()
    for _ in range(3):
        label = torch.eye(2)[[0] * 4]
        assert (built(out(torch.zeros(4, 2)), label, labelled(4)) > 0).all()
        built.observe(labelled(4), out(torch.zeros(4, 2)))


def test_the_loss_itself_changes_no_state() -> None:
    built = loss()
    first = found(built, [1, 2, 3, 4])
    assert built.threshold.isnan()
    assert torch.equal(found(built, [1, 2, 3, 4]), first)
    before = observed(built, [1, 2, 3, 4])
    found(built, [5, 6, 7, 8])
    assert float(built.threshold) == before


def test_the_threshold_is_part_of_the_state() -> None:
    one, other = loss(), loss()
    observed(one, [1, 2, 3, 4])
    other.load_state_dict(one.state_dict())
    assert observed(other, [3, 4, 5, 6]) == pytest.approx(2.7)


def test_soft_targets_are_what_is_learned_and_the_label_what_images_are_chosen_by() -> None:
    said, target = out(scores([1.0, 2.0, 3.0, 4.0])), torch.eye(2)[[1] * 4]
    plain = CrossEntropy(small_task(2))(said, target, labelled(4))
    expected = tensor([1.0, 1.0, 0.0, 0.0]) * plain
    assert_close(loss()(said, target, labelled(4)), expected)


def test_any_loss_is_paced_by_itself() -> None:
    built, said = loss(loss=Use(SymmetricCrossEntropy)), out(scores([1.0, 2.0, 3.0, 4.0]))
    assert built.logarithmic
    label = torch.eye(2)[[0] * 4].log()
    plain = SymmetricCrossEntropy(small_task(2))(said, label, labelled(4))
    assert_close(built(said, label, labelled(4)), tensor([1.0, 1.0, 0.0, 0.0]) * plain)
    built.observe(labelled(4), said)
    assert_close(built.threshold, plain.quantile(0.5))


def test_what_the_loss_learns_it_learns_inside_too() -> None:
    features = tensor([[4.0, 8.0], [4.0, 8.0], [4.0, 8.0]])
    task = small_task(2)
    object.__setattr__(task, "features", 2)
    built: SelfPaced = Use(SelfPaced, loss=Use(CenterLoss)).build(task)
    said = scores([1.0, 2.0, 3.0])
    built.observe(labelled(3), Out(features, said, said, ()))
    assert isinstance(built.loss, CenterLoss)
    assert_close(built.loss.centres[0], tensor([1.5, 3.0]))  # half of three quarters of the way
    # The quantile is that of losses before the centre has moved: 2 + 0.003 / 2 * 80.
    assert_close(built.threshold, tensor(2.12))


def test_a_loss_that_is_infinite_to_a_label_is_refused() -> None:
    message = r"^SelfPaced.loss = KnowledgeLoss\(\): must be one that is finite to a label"
    with pytest.raises(Invalid, match=message):
        Use(SelfPaced, loss=Use(KnowledgeLoss))
    forward = Use(SelfPaced, loss=Use(KnowledgeLoss, kl="forward"))
    assert small_trial(loss=forward, targets=Use(Smooth)).loss == forward


def test_what_the_loss_needs_is_needed_of_the_trial() -> None:
    with pytest.raises(Invalid, match="must be one that emits squared distances"):
        small_trial(loss=Use(SelfPaced, loss=Use(GCPL)))
    assert small_trial(loss=Use(SelfPaced, loss=Use(GCPL)), head=Use(Prototypes))
    assert SelfPaced.needs(loss=Use(SymmetricCrossEntropy)) == "distribution"


@pytest.mark.parametrize("name", ["share", "full"])
def test_shares_are_above_zero(name: str) -> None:
    with pytest.raises(Invalid, match=rf"SelfPaced.{name} = 0.0: must lie in \(0, 1\]"):
        Use(SelfPaced, **{name: 0})
