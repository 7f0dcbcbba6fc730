from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.data.data import Batch
from trainables.settings import Invalid, Use
from trainables.targets.online_single import Classmates, OnlineSingle, draw_within
from trainables.task import Task

labels = st.lists(st.integers(0, 4), min_size=1, max_size=30)


def task(y: list[int], classes: int = 2) -> Task:
    return replace(small_task(classes), y=tensor(y))


def shown(y: list[int], index: list[int]) -> Batch:
    return replace(batch(y), index=tensor(index))


def scores(*rows: list[float]) -> Tensor:
    return tensor(rows).log()


@given(labels, st.integers(0, 1000))
@settings(deadline=None, max_examples=100)
def test_a_classmate_is_another_image_of_the_class_or_itself_where_it_is_alone(
    y: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    drawn = Classmates(tensor(y), 5).draw(torch.arange(len(y)), tensor(y)).tolist()
    for image, other in enumerate(drawn):
        assert y[other] == y[image]
        assert (other == image) == (y.count(y[image]) == 1)


def test_classmates_are_in_the_order_of_the_training_set() -> None:
    order = Classmates(torch.arange(100) % 2, 2).order.tolist()
    assert order == [*range(0, 100, 2), *range(1, 100, 2)]


def test_every_other_image_of_the_class_is_as_likely() -> None:
    torch.manual_seed(0)
    classmates = Classmates(tensor([1, 0, 1, 1, 0, 1]), 2)
    drawn = classmates.draw(torch.full((30_000,), 2), torch.ones(30_000, dtype=torch.long))
    shares = torch.bincount(drawn, minlength=6) / 30_000
    third = 1 / 3
    assert_close(shares, tensor([third, 0, 0, third, 0, third]), atol=0.015, rtol=0)


@given(labels, st.integers(0, 4), st.integers(0, 1000))
@settings(deadline=None, max_examples=100)
def test_of_another_label_than_its_own_any_image_so_labelled_is_a_classmate(
    y: list[int], shown: int, seed: int
) -> None:
    torch.manual_seed(seed)
    others = tensor([i for i in range(len(y)) if y[i] != shown], dtype=torch.long)
    drawn = Classmates(tensor(y), 5).draw(others, torch.full_like(others, shown)).tolist()
    for image, other in zip(others.tolist(), drawn, strict=True):
        assert y[other] == shown if shown in y else other == image


def test_a_corrected_label_is_mixed_with_images_of_that_class() -> None:
    """As SelfLearning asks: image 0 is labelled 0, and is shown as of class 1."""
    targets = OnlineSingle(task([0, 0, 1, 1]), alpha=0.5)
    sure = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    targets.observe(shown([0, 0, 1, 1], [0, 1, 2, 3]), out(scores(*sure)))
    targets.end_epoch()
    assert_close(targets(shown([1], [0]), out(torch.zeros(1, 2))), tensor([[0.0, 1.0]]))


@given(labels, st.integers(0, 1000))
@settings(deadline=None, max_examples=100)
def test_within_a_batch_another_image_of_the_class_is_drawn_if_there_is_one(
    y: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    place, found = draw_within(tensor(y))
    for image, (other, is_there) in enumerate(zip(place.tolist(), found.tolist(), strict=True)):
        assert is_there == (y.count(y[image]) > 1)
        if is_there:
            assert other != image
            assert y[other] == y[image]


def test_within_a_batch_every_other_image_of_the_class_is_as_likely() -> None:
    torch.manual_seed(0)
    drawn = torch.stack([draw_within(tensor([0, 1, 0, 0]))[0][0] for _ in range(4000)])
    assert (drawn == 2).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_the_first_epoch_is_label_smoothing() -> None:
    targets = OnlineSingle(task([0, 0, 1, 1]), alpha=0.6)
    assert_close(targets(batch([0]), out([[3.0, 0.0]])), tensor([[0.8, 0.2]]))


def test_the_soft_label_is_what_the_epoch_before_made_of_the_other_image_right_or_wrong() -> None:
    targets = OnlineSingle(task([0, 1, 0]), alpha=0.5)
    targets.observe(shown([0, 0], [0, 2]), out(scores([0.9, 0.1], [0.3, 0.7])))
    now = out(torch.zeros(2, 2))
    assert_close(targets(shown([0, 0], [0, 2]), now), tensor([[0.75, 0.25]] * 2))
    targets.end_epoch()
    targets.observe(shown([0, 0], [0, 2]), out(scores([0.5, 0.5], [0.5, 0.5])))  # of this epoch
    expected = tensor([[0.65, 0.35], [0.95, 0.05]])
    assert_close(targets(shown([0, 0], [0, 2]), now), expected)


def test_an_image_that_an_epoch_left_out_keeps_its_older_prediction() -> None:
    targets = OnlineSingle(task([0, 0]), alpha=0)
    targets.observe(shown([0], [1]), out(scores([0.9, 0.1])))
    for _ in range(2):
        targets.end_epoch()
    assert_close(targets(shown([0], [0]), out(torch.zeros(1, 2))), tensor([[0.9, 0.1]]))


def test_current_is_the_prediction_of_this_step_for_another_image_of_the_batch() -> None:
    targets = OnlineSingle(task([0, 0, 1, 1]), alpha=0.5, source="current")
    said = scores([0.9, 0.1], [0.3, 0.7], [0.2, 0.8]).requires_grad_()
    target = targets(shown([0, 0, 1], [0, 1, 2]), out(said))
    assert_close(target[:2], tensor([[0.65, 0.35], [0.95, 0.05]]))
    assert not target.requires_grad


def test_current_is_stored_where_the_batch_has_no_other_image_of_the_class() -> None:
    targets = OnlineSingle(task([0, 0, 1, 1]), alpha=0, source="current")
    targets.observe(shown([1], [3]), out(scores([0.4, 0.6])))
    targets.end_epoch()
    target = targets(shown([0, 1], [0, 2]), out(scores([0.9, 0.1], [0.2, 0.8])))
    assert_close(target, tensor([[0.5, 0.5], [0.4, 0.6]]))


@given(st.integers(0, 1000), st.sampled_from(["stored", "current"]))
@settings(deadline=None, max_examples=30)
def test_every_row_is_a_distribution(seed: int, source: str) -> None:
    torch.manual_seed(seed)
    y = torch.randint(3, (12,))
    targets = Use(OnlineSingle, source=source).build(replace(small_task(), y=y))
    for _ in range(2):
        said = out(5 * torch.randn(12, 3))
        target = targets(batch(y.tolist()), said)
        assert (target >= 0).all()
        assert_close(target.sum(1), torch.ones(12))
        targets.observe(batch(y.tolist()), said)
        targets.end_epoch()


def test_alpha_is_a_share() -> None:
    with pytest.raises(Invalid, match=r"OnlineSingle.alpha = 1.5: must lie in \[0, 1\]"):
        Use(OnlineSingle, alpha=1.5)
