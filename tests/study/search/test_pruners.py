"""Decisions from stored values, held against Optuna's own loop."""

import random
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from study.search.pruners import PRUNERS, LearningCurve, pruner_settings

EPOCHS, POINTS, NAME = 18, 40, "study"


def curves() -> list[list[float]]:
    """Of points of different worth, by epoch; they cross."""
    chance = random.Random(0)
    ends = [chance.random() for _ in range(POINTS)]
    return [
        [end - chance.uniform(0, 0.6) / epoch for epoch in range(1, EPOCHS + 1)] for end in ends
    ]


def optunas(name: str) -> list[int]:
    """The epochs that each point makes under Optuna's ask, report and tell."""
    kind = PRUNERS[name][0]
    pruner = kind(**pruner_settings(name, EPOCHS))
    study = optuna.create_study(study_name=NAME, direction="maximize", pruner=pruner)
    made = []
    for curve in curves():
        trial, epoch = study.ask(), 0
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, epoch)
            if epoch < EPOCHS and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, curve[-1])
        made.append(epoch)
    return made


def ours(name: str) -> tuple[list[int], list[FrozenTrial]]:
    """The same by LearningCurve, and the points as they would be stored."""
    points: list[FrozenTrial] = []
    for number, values in enumerate(curves()):
        curve = LearningCurve(NAME, name, EPOCHS, number)
        running = point(number, {}, {}, state=TrialState.RUNNING)
        poor = any(curve.poor(value, [*points, running]) for value in values)
        state = TrialState.PRUNED if poor else TrialState.COMPLETE
        points.append(point(number, curve.values, curve.notes, state=state))
    return [len(point.intermediate_values) for point in points], points


def point(
    number: int, values: dict[int, float], notes: dict[str, Any], state: TrialState, **about: Any
) -> FrozenTrial:
    value = values[max(values)] if values else None
    made = create_trial(
        state=state, value=value, intermediate_values=values, system_attrs=notes, **about
    )
    made.number = number
    return made


@pytest.mark.parametrize("name", list(PRUNERS))
def test_points_are_pruned_where_optuna_itself_prunes_them(name: str) -> None:
    made, _ = ours(name)
    assert made == optunas(name)
    assert 3 <= sum(epochs < EPOCHS for epochs in made) < POINTS


@pytest.mark.parametrize("name", list(PRUNERS))
def test_a_decision_taken_again_is_the_same_whatever_was_stored_of_it(name: str) -> None:
    made, points = ours(name)
    pruned = [number for number, epochs in enumerate(made) if epochs < EPOCHS]
    for number in pruned[:5]:
        stored = points[number]
        stored.state = TrialState.RUNNING  # its notes and values were stored, and it was not told
        curve = LearningCurve(NAME, name, EPOCHS, number)
        verdicts = [curve.poor(value, points[: number + 1]) for value in curves()[number]]
        assert verdicts.index(True) + 1 == made[number]
        stored.state = TrialState.PRUNED


def test_nothing_is_pruned_after_its_last_epoch() -> None:
    points = [point(i, {1: 0.5, 2: 0.9}, {}, TrialState.COMPLETE) for i in range(5)]
    curve = LearningCurve(NAME, "median", 2, 5)
    assert not curve.poor(0.6, [*points, point(5, {}, {}, TrialState.RUNNING)])
    assert not curve.poor(0.1, [*points, point(5, {}, {}, TrialState.RUNNING)])
    assert LearningCurve(NAME, "median", 3, 5).poor(
        0.1, [*points, point(5, {}, {}, TrialState.RUNNING)]
    )


def test_a_repeated_point_counts_once() -> None:
    good, poor = {1: 0.9, 2: 0.9}, {1: 0.1, 2: 0.1}
    told = [point(i, poor, {}, TrialState.COMPLETE) for i in range(4)]
    told.append(point(4, good, {}, TrialState.COMPLETE))
    for i in range(5, 12):
        told.append(point(i, good, {}, TrialState.COMPLETE, user_attrs={"repeats": 4}))
    running = point(12, {}, {}, TrialState.RUNNING)
    assert not LearningCurve(NAME, "median", 3, 12).poor(0.1, [*told, running])
    assert LearningCurve(NAME, "median", 3, 12).poor(0.05, [*told, running])


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 9, 30, 200])
@pytest.mark.parametrize("name", list(PRUNERS))
def test_every_pruner_takes_every_length(name: str, epochs: int) -> None:
    PRUNERS[name][0](**pruner_settings(name, epochs))
    curve = LearningCurve(NAME, name, epochs, 0)
    assert not curve.poor(0.5, [point(0, {}, {}, TrialState.RUNNING)])
