"""Dimensionality-driven targets by hand."""

from math import exp, log
from typing import Any

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_trial, tiny_task
from trainables.settings import Invalid, Use
from trainables.targets.dimensionality import (
    DimensionalityDriven,
    label_weight,
    local_dimensionality,
    turned,
)
from trainables.task import Out

LINE = tensor([[0.0], [1.0], [3.0]])
# Distances to the others, in order: 1 and 3, 1 and 2, 2 and 3.
OF_LINE = [2 / log(3), 2 / log(2), 2 / log(1.5)]


def targets(epochs: int = 10, **settings: Any) -> DimensionalityDriven:
    trial = small_trial()
    trial = trial.but(recipe=trial.recipe.but(epochs=epochs))
    task = tiny_task(trial, ("a", "b", "c"), tensor([0, 1, 2]))
    built: DimensionalityDriven = Use(DimensionalityDriven, **settings).build(task)
    return built


def observe(built: DimensionalityDriven, features: Tensor) -> None:
    scores = torch.zeros(len(features), 3)
    built.observe(batch([0] * len(features)), Out(features, scores, scores, ()))


def test_the_dimension_by_hand() -> None:
    assert_close(local_dimensionality(LINE, k=2), tensor(OF_LINE))


def test_of_few_images_all_others_are_neighbours() -> None:
    assert_close(local_dimensionality(LINE, k=20), tensor(OF_LINE))


def test_only_the_k_nearest_count() -> None:
    far = torch.cat([LINE, tensor([[100.0], [1000.0]])])
    assert_close(local_dimensionality(far, k=2)[:3], tensor(OF_LINE))
    # Of image 0 they are at 1, 3 and 100.
    assert_close(local_dimensionality(far, k=3)[0], tensor(3 / (log(100) + log(100 / 3))))


def test_points_on_a_line_have_one_dimension_and_those_in_a_cube_three() -> None:
    chance = torch.Generator().manual_seed(0)
    line, cube = (torch.rand(2000, d, generator=chance) for d in (1, 3))
    assert float(local_dimensionality(line, k=20).mean()) == pytest.approx(1, abs=0.15)
    assert float(local_dimensionality(cube, k=20).mean()) == pytest.approx(3, abs=0.3)


def test_an_image_that_is_there_twice_has_a_finite_dimension() -> None:
    found = local_dimensionality(tensor([[0.0], [0.0], [1.0]]), k=2)
    assert_close(found[:2], torch.full((2,), 2 / (8 * log(10))))
    assert local_dimensionality(torch.zeros(4, 2), k=3).isfinite().all()


def test_among_images_that_are_equally_far_the_dimension_is_bounded() -> None:
    assert_close(local_dimensionality(torch.eye(4), k=3), torch.full((4,), 1000.0))


def test_the_turning_point_is_two_deviations_above_the_window_before() -> None:
    assert not turned([1.0, 3.0, 4.0], window=2)  # 2 + 2 * 1
    assert turned([1.0, 3.0, 4.1], window=2)
    assert not turned([9.0, 1.0, 3.0, 3.9], window=2)
    assert turned([9.0, 1.0, 3.0, 4.1, 1.0], window=2)  # once is enough


def test_there_is_no_turning_point_before_a_window_is_full() -> None:
    assert not turned([1.0, 1.0, 50.0], window=3)
    assert turned([1.0, 1.0, 1.0, 50.0], window=3)


def test_the_weight_of_the_label_by_hand() -> None:
    assert label_weight([2.0, 4.0], window=2, epochs=10) == 1
    assert label_weight([2.0, 4.0, 5.0], window=2, epochs=10) == 1
    assert label_weight([2.0, 4.0, 8.0], 2, 10) == pytest.approx(exp(-0.2 * 4))
    assert label_weight([2.0, 4.0, 8.0, 3.0], 2, 10) == pytest.approx(exp(-0.3 * 1.5))
    assert label_weight([2.0, 4.0, 8.0, 1.0], 2, 10) == pytest.approx(exp(-0.3 * 0.5))


def test_an_epoch_has_the_mean_over_its_images() -> None:
    built = targets(k=2, window=2)
    observe(built, LINE)
    observe(built, torch.cat([LINE, LINE + 100]))
    built.end_epoch()
    assert_close(built.lids[0], tensor(sum(OF_LINE) / 3))
    assert built.lids[1:].isnan().all()
    observe(built, tensor([[0.0], [1.0], [3.0], [9.0]]))
    built.end_epoch()
    # Of the last image 6 and 8; the next epoch begins anew.
    assert_close(built.lids[1], tensor((sum(OF_LINE) + 2 / log(8 / 6)) / 4))


def test_a_batch_of_two_images_says_nothing() -> None:
    built = targets(k=2, window=2)
    observe(built, LINE)
    observe(built, tensor([[0.0], [1.0]]))
    built.end_epoch()
    assert_close(built.lids[0], tensor(sum(OF_LINE) / 3))


def test_before_the_turning_point_the_target_is_the_label() -> None:
    built = targets(window=2)
    said = out([[5.0, 0.0, 0.0]])
    assert built(batch([1]), said).tolist() == [[0, 1, 0]]
    observe(built, LINE)
    built.end_epoch()
    assert built(batch([1]), said).tolist() == [[0, 1, 0]]


def test_after_it_the_label_is_mixed_with_the_class_that_the_net_takes_it_for() -> None:
    built = targets(epochs=10, k=2, window=2)
    built.lids[:2] = tensor([2.0, 1.0])
    observe(built, LINE)
    built.end_epoch()
    alpha = exp(-0.2 * sum(OF_LINE) / 3)
    found = built(batch([1, 2]), out([[5.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    assert_close(found, tensor([[1 - alpha, alpha, 0.0], [0.0, 0.0, 1.0]]))


def test_targets_change_no_state_and_have_no_gradient() -> None:
    built = targets(window=2)
    built.alpha.fill_(0.5)
    before = {name: value.clone() for name, value in built.state_dict().items()}
    scores = torch.tensor([[5.0, 0.0, 0.0]], requires_grad=True)
    assert not built(batch([1]), out(scores)).requires_grad
    assert_close(built.state_dict(), before, equal_nan=True)


def test_an_epoch_that_has_begun_is_part_of_the_state() -> None:
    one, other = (targets(k=2, window=2) for _ in range(2))
    for _ in range(2):
        observe(one, LINE)
        one.end_epoch()
    observe(one, LINE)
    other.load_state_dict(one.state_dict())
    for built in (one, other):
        observe(built, torch.rand(9, 4, generator=torch.Generator().manual_seed(0)))
        built.end_epoch()
    assert torch.equal(other.lids[:3], one.lids[:3])
    assert torch.equal(other.alpha, one.alpha)


def test_a_window_as_long_as_the_training_is_refused() -> None:
    message = r"^DimensionalityDriven.window = 3: must be below 3, the epochs of the whole training"
    with pytest.raises(Invalid, match=message):
        small_trial(targets=Use(DimensionalityDriven, window=3))
    assert small_trial(targets=Use(DimensionalityDriven, window=2))


def test_demo_shortens_the_window_to_two_epochs_at_the_least() -> None:
    windows = [Use(DimensionalityDriven, window=w).demo()["window"] for w in (12, 40, 6, 2)]
    assert windows == [4, 13, 2, 2]


@pytest.mark.parametrize("name", ["k", "window"])
def test_one_neighbour_or_one_epoch_is_too_few(name: str) -> None:
    with pytest.raises(Invalid, match=rf"DimensionalityDriven.{name} = 1: must lie in \[2, inf\)"):
        Use(DimensionalityDriven, **{name: 1})
