"""Every kind of parameter in a search, and points that come again."""

import math
from pathlib import Path

import pytest

from study.search.points import REPEATS, SAMPLERS
from study.search.space import KINDS, Space
from tests.study.laboratory import Laboratory
from tests.study.search.periodic import Periodic
from trainables.settings import Use
from trainables.trial import Trial


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_conditional_categorical_whole_and_log_parameters(
    sampler: str, trial: Trial, tmp_path: Path
) -> None:
    space = Space(trial.but(targets=Use(Periodic, period=3, share=0.5)), KINDS["parts"])
    assert space.parameters == {
        "targets.mode": "off | steps | mix",
        "targets.period": "1 to 64, step 1, log",
        "targets.share": "0 to 1, step 0.25",
    }
    lab = Laboratory(tmp_path, space, lambda trial: trial.targets["period"] / 64)
    search = lab.run(lab.search(16, sampler=sampler))
    for point in search.points():
        mode = point["params"]["targets.mode"]
        conditional = {"off": set(), "steps": {"targets.period"}, "mix": {"targets.share"}}
        assert set(point["params"]) == {"targets.mode", *conditional[mode]}
    best = search.winner().targets
    assert isinstance(best["period"], int)
    assert best["share"] == 0.25  # what a branch does not ask for is the default, not the row's


def test_a_repeated_point_is_told_its_value_and_twenty_end_the_search(
    trial: Trial, tmp_path: Path
) -> None:
    fixed = ("targets.period", "targets.share")
    space = Space(trial.but(targets=Use(Periodic)), KINDS["parts"], fixed)
    lab = Laboratory(tmp_path, space, lambda t: 0.9 if t.targets["mode"] == "mix" else math.nan)
    search = lab.run(lab.search(10, sampler="random"))
    assert len(lab.trained) == search.spent == 3
    assert search.exhausted
    newest = search.points()[-REPEATS:]
    for point in newest:
        original = search.points()[point["repeats"]]
        assert (point["state"], point["value"]) == (original["state"], original["value"])
        assert point["trials"] == original["trials"]
    assert lab.run(lab.search(10, sampler="random")).points() == search.points()


def test_a_point_that_repeats_a_running_one_waits_for_it(trial: Trial, tmp_path: Path) -> None:
    fixed = ("targets.period", "targets.share")
    space = Space(trial.but(targets=Use(Periodic)), KINDS["parts"], fixed)
    lab = Laboratory(tmp_path, space, lambda trial: 0.5)
    search = lab.search(4, sampler="random")
    running = []
    while (taken := search.take()) is not None:
        running.append(taken)
    assert 1 <= len({trial_id for trial_id, _ in running}) == len(running) <= 3
    for trial_id, searched in running:
        lab.train(trial_id, searched)
        search.ended(trial_id)
    assert lab.run(search).exhausted
