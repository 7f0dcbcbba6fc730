"""Points of a search that are trained as one net. What they score is made up, none is trained."""

import random
from pathlib import Path

import pytest

from study.request import Options, Request, Resources
from study.search.search import Search
from study.search.space import KINDS, Space
from tests.study.laboratory import Laboratory
from trainables.methods.byot import BYOT
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth
from trainables.trial import Trial

POINTS = 14


def score(trial: Trial) -> float:
    return 1 - (trial.targets["epsilon"] - 0.2) ** 2


@pytest.fixture
def smoothed(trial: Trial) -> Space:
    return Space(trial.but(targets=Use(Smooth)), KINDS["parts"])


def group(search: Search) -> dict[str, Trial]:
    """What one worker is given next; empty where nothing is to be trained now."""
    if (taken := search.take()) is None:
        return {}
    return dict([taken]) | (search.beside(*taken) or {})


def numbers(search: Search, given: dict[str, Trial]) -> list[int]:
    """The points of the trials."""
    found = [p["number"] for i in given for p in search.points() if i in p["trials"]]
    return sorted(set(found))


def test_so_many_points_are_drawn_as_are_trained_at_once(smoothed: Space, tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, smoothed, score)
    search = laboratory.search(10, fuse=4)
    sizes = []
    while given := group(search):
        sizes.append(len(given))
        for taken in given.items():
            laboratory.train(*taken)
        for trial_id in given:
            search.ended(trial_id)
    assert sizes == [4, 4, 2]
    assert search.over


def test_the_seeds_of_a_point_count(smoothed: Space, tmp_path: Path) -> None:
    search = Laboratory(tmp_path, smoothed, score).search(10, fuse=7, seeds=3)
    given = group(search)
    assert (len(given), numbers(search, given)) == (6, [0, 1])
    assert len({(trial.targets["epsilon"], trial.seed) for trial in given.values()}) == 6


def test_points_of_other_recipes_are_not_drawn_ahead(trial: Trial, tmp_path: Path) -> None:
    both = Space(trial.but(targets=Use(Smooth)), KINDS["both"])
    search = Laboratory(tmp_path, both, score).search(10, fuse=8, seeds=2)
    first, second = group(search), group(search)
    assert [len(first), len(second)] == [2, 2]
    assert [numbers(search, first), numbers(search, second)] == [[0], [1]]
    assert len(search.points()) == 3  # it was drawn, and has another rate


def test_what_cannot_be_fused_is_trained_separately(trial: Trial, tmp_path: Path) -> None:
    space = Space(trial.but(method=Use(BYOT)), KINDS["parts"])
    search = Laboratory(tmp_path, space, lambda trial: 1.0).search(4, fuse=4)
    taken = search.take()
    assert taken
    assert search.beside(*taken) is None
    search = Laboratory(tmp_path / "other", space, lambda trial: 1.0).search(4)
    taken = search.take()
    assert taken
    assert search.beside(*taken) is None


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "seeds"), [("tpe", 1), ("tpe", 2), ("random", 1)])
def test_killed_at_any_moment_the_same_points_are_asked(
    sampler: str, seeds: int, smoothed: Space, tmp_path: Path
) -> None:
    """While a batch is drawn, while it is trained, while its points are told."""

    def opened(laboratory: Laboratory) -> Search:
        return laboratory.search(POINTS, fuse=4, sampler=sampler, seeds=seeds)

    whole = Laboratory(tmp_path / "whole", smoothed, score)
    undisturbed = opened(whole)
    while given := group(undisturbed):
        for taken in given.items():
            whole.train(*taken)
        for trial_id in given:
            undisturbed.ended(trial_id)
    assert undisturbed.over

    broken, chance = Laboratory(tmp_path / "broken", smoothed, score), random.Random(0)
    search, kills = opened(broken), 0
    while not search.over:
        first = search.take()
        if chance.random() < 0.3:
            search, kills = opened(broken), kills + 1
            continue
        assert first
        given = dict([first]) | (search.beside(*first) or {})
        trained = chance.choice([len(given), chance.randrange(len(given))])
        for taken in list(given.items())[:trained]:
            broken.train(*taken)
        if trained == len(given):
            for trial_id in list(given)[: chance.choice([trained, chance.randrange(trained)])]:
                search.ended(trial_id)
        if search._waiting and any(search._waiting.values()):
            search, kills = opened(broken), kills + 1
    assert kills >= 5
    assert search.points() == undisturbed.points()
    assert search.winner() == undisturbed.winner()
    assert broken.trained == whole.trained


def test_with_a_pruner_it_is_refused() -> None:
    def request(pruner: str) -> Request:
        search = Options(4, pruner=pruner)
        return Request(grid="kesl_ablation", search=search, resources=Resources(fuse=4))

    assert request("none").resources.fuse == 4
    refused = "^--fuse = 4: must be 1 together with --pruner, which ends trials one by one$"
    with pytest.raises(Invalid, match=refused):
        request("median")
