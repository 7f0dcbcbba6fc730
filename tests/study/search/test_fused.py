"""Points of a search that are trained as one net. What they score is made up, none is trained."""

import math
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FixedTrial

from study.request import Options, Request, Resources
from study.search.search import Search
from study.search.space import KINDS, Space
from tests.study.laboratory import Laboratory, group
from tests.study.search.periodic import Periodic
from trainables.methods.byot import BYOT
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth
from trainables.targets.targets import Targets
from trainables.trial import Trial

POINTS = 26  # the first ten of TPE know nothing of the others


def score(trial: Trial) -> float:
    return 1 - (trial.targets["epsilon"] - 0.2) ** 2


@pytest.fixture
def smoothed(trial: Trial) -> Space:
    return Space(trial.but(targets=Use(Smooth)), KINDS["parts"])


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
    assert len(search.points()) == 2


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


class Killed(Exception):
    """The command, where it draws, stores or tells a point, or trains a batch."""


def mortal(search: Search, chance: random.Random, rate: float) -> Search:
    """It may be killed before and after everything that it writes."""

    def wrapped(write: Callable[..., object]) -> Callable[..., None]:
        def written(*args: object, **kwargs: object) -> None:
            die(chance, rate)
            write(*args, **kwargs)
            die(chance, rate)

        return written

    search.study.add_trial = wrapped(search.study.add_trial)  # type: ignore[method-assign]
    search.study.tell = wrapped(search.study.tell)  # type: ignore[method-assign,assignment]
    return search


def die(chance: random.Random, rate: float) -> None:
    if chance.random() < rate:
        raise Killed


def carry_on(laboratory: Laboratory, search: Search, chance: random.Random, rate: float) -> None:
    """Group after group. While one is under way, the next one is asked for."""
    while given := group(search):
        ahead = group(search)
        for taken in given.items():
            if search._result(taken[0]) is None:
                die(chance, rate)
                laboratory.train(*taken)
        for trial_id in chance.sample(list(given), len(given)):
            search.ended(trial_id)
        assert ahead == {}


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("targets", [Smooth, Periodic])
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_killed_at_any_moment_the_same_points_are_asked(
    sampler: str, targets: type[Targets], seeds: int, trial: Trial, tmp_path: Path
) -> None:
    """Some fail; of the periodic ones many are drawn again, so that batches end early."""

    def found(trial: Trial) -> float:
        value = zlib.crc32(repr(trial.targets).encode()) % 1000 / 1000
        return math.nan if value < 0.1 else value

    space, chance = Space(trial.but(targets=Use(targets)), KINDS["parts"]), random.Random(1)

    def opened(laboratory: Laboratory) -> Search:
        return laboratory.search(POINTS, fuse=4, sampler=sampler, seeds=seeds)

    whole = Laboratory(tmp_path / "whole", space, found)
    undisturbed = opened(whole)
    carry_on(whole, undisturbed, chance, rate=0.0)
    broken, kills = Laboratory(tmp_path / "broken", space, found), 0
    while not (search := opened(broken)).over:
        try:
            carry_on(broken, mortal(search, chance, 0.1), chance, rate=0.1)
        except Killed:
            kills += 1
    assert kills >= 5
    assert search.points() == undisturbed.points()
    assert undisturbed.over
    assert search.winner() == undisturbed.winner()
    assert sorted(broken.trained) == sorted(whole.trained)


def test_a_batch_of_which_some_are_told_does_not_grow(
    smoothed: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had ended with a point that was under way; now another one would be drawn, too early."""
    (name,) = smoothed.parameters

    def drawn(search: Search) -> tuple[SimpleNamespace, Trial]:
        told = sum(point["state"] == "complete" for point in search.points())
        params = {name: (0.1, 0.2, 0.3 if told else 0.2, 0.4)[len(search.points())]}
        asked = SimpleNamespace(params=params, distributions={name: FloatDistribution(0.0, 1.0)})
        return asked, smoothed.at(FixedTrial(params))

    monkeypatch.setattr(Search, "_draw", drawn)
    laboratory = Laboratory(tmp_path, smoothed, score)
    search = laboratory.search(4, fuse=4)
    first, second = group(search).items()
    laboratory.train(*first)
    search = laboratory.search(4, fuse=4)
    assert group(search) == dict([second])
    assert [point["state"] for point in search.points()] == ["complete", "running"]
    laboratory.train(*second)
    search.ended(second[0])
    assert numbers(search, group(search)) == [2]


def test_with_a_pruner_it_is_refused() -> None:
    def request(pruner: str) -> Request:
        search = Options(4, pruner=pruner)
        return Request(grid="kesl_ablation", search=search, resources=Resources(fuse=4))

    assert request("none").resources.fuse == 4
    refused = "^--fuse = 4: must be 1 together with --pruner, which ends trials one by one$"
    with pytest.raises(Invalid, match=refused):
        request("median")
