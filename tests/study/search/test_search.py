"""Searches with the real Optuna over sqlite; what trials score is made up, none is trained."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.search.points import objective
from study.search.search import Search
from study.search.space import FIRST_SEED, KINDS, Space
from study.search.winners import summary, tuned
from tests.study.laboratory import Laboratory, plan_of, ready
from trainables.settings import Invalid, Suggest, Use
from trainables.targets.smooth import Smooth
from trainables.trial import Trial


def points(search: Search) -> list[dict[str, Any]]:
    return search.points()


def score(trial: Trial) -> float:
    """Smooth, with its maximum inside the space."""
    epsilon = trial.targets["epsilon"]
    return 1 - (epsilon - 0.2) ** 2 - (math.log10(trial.recipe.lr) + 2) ** 2 / 10


@pytest.fixture
def smoothed(trial: Trial) -> Space:
    return Space(trial.but(targets=Use(Smooth)), KINDS["both"])


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_killed_at_any_moment_asks_the_same_points(
    sampler: str, smoothed: Space, tmp_path: Path
) -> None:
    whole = Laboratory(tmp_path / "whole", smoothed, score)
    broken = Laboratory(tmp_path / "broken", smoothed, score)
    undisturbed = whole.run(whole.search(14, sampler=sampler))
    chance = random.Random(0)
    search, kills = broken.search(14, sampler=sampler), 0
    while not search.over:
        taken = search.take()
        moments = ["asked", "trained", "told"]
        killed_when = chance.choice(moments) if chance.random() < 0.5 else None
        if taken and killed_when != "asked":
            broken.train(*taken)
            if killed_when != "trained":
                search.ended(taken[0])
        if killed_when:
            search, kills = broken.search(14, sampler=sampler), kills + 1
    assert kills >= 5
    assert points(search) == points(undisturbed)
    assert search.winner() == undisturbed.winner()
    assert broken.trained == whole.trained
    assert len({str(point["params"]) for point in points(search)}) == 14


def test_gp_searches_too(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    assert lab.run(lab.search(12, sampler="gp")).told == 12


def test_a_finished_search_is_read_and_nothing_is_trained(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    first = lab.run(lab.search(4))
    again = lab.search(4)
    assert not again.pending()
    assert again.winner() == first.winner()
    assert again.asked == lab.trained


def test_a_search_that_another_command_has_carried_out_is_read(
    smoothed: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    waiting = lab.search(4)
    assert waiting.claim == lab.search(9).claim  # of the same points
    assert waiting.claim != lab.search(4, seed=1).claim
    lab.run(lab.search(4))
    assert waiting.asked == []
    waiting.read()
    assert waiting.over
    assert not waiting.pending()
    assert waiting.asked == lab.trained


def test_a_larger_budget_goes_on_and_a_smaller_one_sees_its_own_points(
    smoothed: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    few = points(lab.run(lab.search(3)))
    more = lab.run(lab.search(6))
    assert points(more)[:3] == few
    assert (more.spent, len(lab.trained)) == (6, 6)
    assert points(lab.run(lab.search(3))) == few


def test_results_outlive_a_lost_database(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    first = points(lab.run(lab.search(4)))
    (tmp_path / "optuna.db").unlink()
    assert points(lab.run(lab.search(4))) == first
    assert len(lab.trained) == 4


def test_a_point_has_the_mean_of_its_seeds(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, lambda trial: 0.1 * (trial.seed - FIRST_SEED))
    search = lab.run(lab.search(2, seeds=3))
    assert [point["value"] for point in points(search)] == pytest.approx([0.1, 0.1])
    assert len(lab.trained) == 6
    assert search.winner() == search.what.space.at(_first(search))


def _first(search: Search) -> Suggest:
    """The first point's values: the earliest of equals is the best."""
    from optuna.trial import FixedTrial

    return FixedTrial(points(search)[0]["params"])


def test_searched_trials_have_no_test_images_and_seeds_of_their_own(
    smoothed: Space, tmp_path: Path
) -> None:
    all_data = smoothed.trial.but(data=smoothed.trial.data.but(validation=0.0))
    lab = Laboratory(tmp_path, replace(smoothed, trial=all_data), score)
    search = lab.search(1, seeds=2)
    found = []
    while (taken := search.take()) is not None:
        lab.train(*taken)
        search.ended(taken[0])
        found.append(taken[1])
    assert [trial.seed for trial in found] == [FIRST_SEED, FIRST_SEED + 1]
    assert {(t.data.test, t.data.validation) for t in found} == {(False, 0.1)}
    assert search.winner().data == all_data.data  # the paper's full split, with test images


def test_there_is_no_winner_before_the_end(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    search = lab.search(2)
    for _ in range(2):
        with pytest.raises(AssertionError, match="there is none yet"):
            search.winner()
        assert tuned(plan_of("kesl_ablation"), [search], 3, ready)[1] == {}
        taken = search.take()
        assert taken
        lab.train(*taken)
        search.ended(taken[0])
    assert search.winner().data.test


def test_several_at_once_are_all_trained_once(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    search = lab.search(6)
    running = []
    while len(lab.trained) < 6:
        while len(running) < 3 and (taken := search.take()) is not None:
            running.append(taken)
        trial_id, trial = running.pop()  # the newest ends first
        lab.train(trial_id, trial)
        search.ended(trial_id)
    assert search.over
    assert len(set(lab.trained)) == 6


def test_a_trial_without_a_result_stops_its_search_until_the_next_command(
    smoothed: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    search = lab.search(3)
    taken = search.take()
    assert taken
    search.ended(taken[0])
    assert search.lost == [taken[0]]
    assert search.take() is None
    assert not search.over
    assert lab.run(lab.search(3)).asked[0] == taken[0]


def test_a_failed_point_is_told_as_failed_and_counts(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, lambda t: score(t) if t.recipe.lr < 0.01 else math.nan)
    search = lab.run(lab.search(12))
    states = {"complete" if p["params"]["recipe.lr"] < 0.01 else "failed" for p in points(search)}
    assert states == {"complete", "failed"}
    assert {(p["state"], p["params"]["recipe.lr"] < 0.01) for p in points(search)} == {
        ("complete", True),
        ("fail", False),
    }
    assert search.spent == 12
    assert search.winner().recipe.lr < 0.01


def test_of_points_that_all_failed_none_is_the_winner(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, lambda trial: math.nan)
    search = lab.run(lab.search(3))
    assert search.best is None
    assert summary(search)["literal"] is None
    plan = plan_of("kesl_ablation")
    assert tuned(plan, [search], 3, ready) == (plan, {})


@pytest.mark.parametrize(
    ("space", "field"),
    [
        (lambda s: replace(s, fixed=("targets.epsilon",)), "space of targets.epsilon was 0.01 to"),
        (lambda s: replace(s, kinds=KINDS["recipe"]), "space of targets.epsilon was 0.01 to"),
        (
            lambda s: replace(s, trial=s.trial.but(recipe=s.trial.recipe.but(epochs=9))),
            "recipe.epochs was 3, is 9",
        ),
    ],
)
def test_a_stored_search_of_another_space_is_refused(
    space: Callable[[Space], Space], field: str, smoothed: Space, tmp_path: Path
) -> None:
    Laboratory(tmp_path, smoothed, score).search(3)
    with pytest.raises(Invalid) as raised:
        Laboratory(tmp_path, space(smoothed), score).search(3)
    assert field in str(raised.value)
    assert "another --search-seed or --search-storage starts a new one" in str(raised.value)


def recorded_without(field: str, lab: Laboratory) -> None:
    """Makes the stored search one of a version that had no such field."""
    study = lab.search(3).study
    record = study.user_attrs["record"]
    study.set_user_attr("record", {n: v for n, v in record.items() if n != field})


def test_a_search_goes_on_where_a_setting_came_later(smoothed: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, smoothed, score)
    recorded_without("recipe.sampling", lab)  # stands at its default
    assert lab.run(lab.search(3)).over
    recorded_without("recipe.epochs", lab)  # has none
    with pytest.raises(Invalid, match=r"recipe\.epochs was not there, is 3"):
        lab.search(3)


def test_a_stored_search_of_another_storage_is_refused(smoothed: Space, tmp_path: Path) -> None:
    url = Laboratory(tmp_path / "mine", smoothed, score).url
    Laboratory(tmp_path / "mine", smoothed, score).search(3)
    theirs = Laboratory(tmp_path / "theirs", smoothed, score, url)
    with pytest.raises(Invalid) as raised:
        theirs.search(3)
    said = f"was of another storage, at its begin {tmp_path}/mine; this one is {tmp_path}/theirs; "
    assert said + "another --search-seed or --search-storage starts a new one" in str(raised.value)
    assert theirs.run(theirs.search(3, seed=1)).over


def test_a_search_goes_on_in_a_storage_that_was_moved(smoothed: Space, tmp_path: Path) -> None:
    before = Laboratory(tmp_path / "here", smoothed, score)
    first = points(before.run(before.search(2)))
    lab = Laboratory((tmp_path / "here").rename(tmp_path / "there"), smoothed, score)
    assert points(lab.run(lab.search(3)))[:2] == first
    assert len(lab.trained) == 1


def test_the_objective_follows_the_rule_of_the_table() -> None:
    plan = plan_of("kesl_ablation")
    assert objective(plan) == "best_validation"
    assert objective(replace(plan, scale="paper")) == "last"
    assert objective(replace(plan, scale="paper", selection="oracle")) == "best_validation"
