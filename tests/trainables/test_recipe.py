from math import cos, pi
from typing import Any

import pytest
import torch

from trainables.recipe import Recipe, learning_rate

STEPS = 4  # an epoch


def rates(steps: int = STEPS, **settings: Any) -> list[float]:
    recipe = Recipe(**{"lr": 0.8, "schedule": "constant", **settings})
    return [learning_rate(recipe, step, steps) for step in range(recipe.epochs * steps)]


def test_a_constant_rate_is_lr() -> None:
    assert rates(epochs=2) == [0.8] * 8


def test_from_the_first_step_after_a_milestone_the_rate_is_gamma_times_smaller() -> None:
    step = {"schedule": "step", "milestones": (1, 2), "gamma": 0.5}
    assert rates(epochs=3, **step) == [0.8] * 4 + [0.4] * 4 + [0.2] * 4


def test_a_milestone_may_lie_inside_an_epoch() -> None:
    step = {"schedule": "step", "milestones": (0.5,), "gamma": 0.5}
    assert rates(epochs=1, **step) == [0.8, 0.8, 0.4, 0.4]


@pytest.mark.parametrize("steps", [1, 3, 7, 391])
def test_milestones_are_exact_for_any_number_of_steps(steps: int) -> None:
    found = rates(steps, epochs=100, lr=1.0, schedule="step", milestones=(45, 80), gamma=0.5)
    assert found == [1.0] * 45 * steps + [0.5] * 35 * steps + [0.25] * 20 * steps


def test_cosine_falls_from_lr_over_half_of_it_to_near_zero() -> None:
    found = rates(epochs=2, schedule="cosine")
    assert found[0] == 0.8
    assert found[4] == pytest.approx(0.4)
    assert found[-1] == pytest.approx(0.4 * (1 + cos(pi * 7 / 8)))
    assert found == sorted(found, reverse=True)


def test_cosine_would_be_zero_one_step_after_the_last() -> None:
    recipe = Recipe(epochs=2, lr=0.8, schedule="cosine")
    assert learning_rate(recipe, 2 * STEPS, STEPS) == pytest.approx(0)


def test_warm_up_rises_in_equal_parts_and_ends_at_lr_in_its_last_step() -> None:
    assert rates(epochs=2, warmup_epochs=1) == pytest.approx([0.2, 0.4, 0.6, 0.8] + [0.8] * 4)


def test_a_warm_up_may_be_part_of_an_epoch() -> None:
    assert rates(epochs=1, warmup_epochs=0.5) == pytest.approx([0.4, 0.8, 0.8, 0.8])


def test_the_schedule_counts_the_steps_of_the_warm_up() -> None:
    plain = rates(epochs=2, schedule="cosine")
    warm = rates(epochs=2, schedule="cosine", warmup_epochs=1)
    rise = [0.25, 0.5, 0.75] + [1.0] * 5
    assert warm == pytest.approx([p * r for p, r in zip(plain, rise, strict=True)])


def test_the_rate_depends_on_the_step_alone() -> None:
    recipe = Recipe(epochs=5, schedule="cosine", warmup_epochs=2)
    forwards = [learning_rate(recipe, step, STEPS) for step in range(20)]
    torch.manual_seed(1)
    backwards = [learning_rate(recipe, step, STEPS) for step in reversed(range(20))]
    assert forwards == backwards[::-1]
