"""Searches that prune, cut at every event; what trials score is made up, none is trained."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from study.search.database import open_storage
from study.search.pruners import PRUNERS
from study.search.search import Search
from study.search.space import FIRST_SEED, KINDS, Space
from study.search.winners import summary, tuned
from tests.study.laboratory import plan_of, ready
from tests.study.search.periodic import Periodic
from tests.study.search.pruning import EPOCHS, WRITES, Killed, Laboratory, value
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth
from trainables.trial import Trial


@pytest.fixture
def space(trial: Trial) -> Space:
    longer = trial.recipe.but(epochs=EPOCHS)
    return Space(trial.but(targets=Use(Smooth), recipe=longer), KINDS["both"])


def pruned(search: Search) -> dict[int, int]:
    """The epochs of the pruned points, by number."""
    found = {p["number"]: len(p["epochs"]) for p in search.points() if p["state"] == "pruned"}
    assert all(0 < epochs < EPOCHS for epochs in found.values())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PRUNERS))
def test_cut_at_any_event_the_same_points_are_asked_and_pruned(
    name: str, space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    median = (PRUNERS["median"][0], lambda epochs: {"n_startup_trials": 2})
    monkeypatch.setitem(PRUNERS, "median", median)  # so that few points are enough
    whole = Laboratory(tmp_path / "whole", space)
    undisturbed = whole.run(whole.search(6, name, sampler="random"))
    assert pruned(undisturbed)
    assert undisturbed.best
    assert len(whole.made) < 6 * EPOCHS
    for cut in range(1, whole.events + 1):
        broken = Laboratory(tmp_path / str(cut), space)
        broken.cut = cut
        with pytest.raises(Killed):
            broken.run(broken.search(6, name, sampler="random"))
        search = broken.run(broken.search(6, name, sampler="random"))
        assert search.points() == undisturbed.points()
        assert search.best
        assert search.best.number == undisturbed.best.number
        assert search.budget == undisturbed.budget
        assert search.pruned == undisturbed.pruned
        assert broken.made == whole.made  # each epoch once


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_stored_in_a_file_and_killed_after_every_epoch(
    sampler: str, space: Space, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'whole.db'}"
    whole = Laboratory(tmp_path / "whole", space, database=open_storage(url))
    undisturbed = whole.run(whole.search(14, sampler=sampler))
    assert pruned(undisturbed)
    url = f"sqlite:///{tmp_path / 'broken.db'}"
    broken = Laboratory(tmp_path / "broken", space, database=open_storage(url))
    while len(broken.made) < len(whole.made):
        broken.cut = broken.events + 13
        try:
            broken.run(broken.search(14, sampler=sampler))
        except Killed:
            broken.database = open_storage(url)  # the cut one's cache is gone with it
            for name in WRITES:
                setattr(broken.database, name, broken._cutting(getattr(broken.database, name)))
    broken.cut = -1
    assert broken.run(broken.search(14, sampler=sampler)).points() == undisturbed.points()


def test_a_pruned_point_has_its_last_value_and_counts(space: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, space)
    search = lab.run(lab.search())
    given_up = pruned(search)
    assert (search.spent, search.told) == (9, 9)
    for point in search.points():
        last = len(point["epochs"])
        assert point["value"] == point["epochs"][last]
        assert last == given_up.get(point["number"], EPOCHS)
        results = [lab.storage.trial(i).shelf.read("result.json") for i in point["trials"]]
        assert (results == [None]) == (point["number"] in given_up)
    assert search.budget == f"9 points, {len(lab.made)} of {9 * EPOCHS} epochs"
    assert summary(search)["pruner"] == "median"
    search.what = replace(search.what, rows=("only CE",))
    plan, _ = tuned(plan_of("kesl_ablation"), [search], 1, ready)
    assert plan.cells[-1].budget == search.budget
    assert lab.search().pruned == search.pruned
    assert len(search.pruned) == len(given_up)


def test_a_finished_search_that_pruned_is_read_and_nothing_is_trained(
    space: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, space)
    first = lab.run(lab.search())
    again = lab.search()
    assert not again.pending()
    assert again.points() == first.points()
    assert again.budget == first.budget


def test_without_a_pruner_every_epoch_is_made_and_none_is_stored(
    space: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, space)
    search = lab.run(lab.search(pruner="none"))
    assert (len(lab.made), search.budget, search.pruned) == (9 * EPOCHS, "9", [])
    assert all(point["epochs"] == {} for point in search.points())


def test_what_another_study_has_trained_is_judged_as_if_it_ran_now(
    space: Space, tmp_path: Path
) -> None:
    lab = Laboratory(tmp_path, space)
    lab.run(lab.search(pruner="none", sampler="random"))
    assert len(lab.made) == 9 * EPOCHS
    alone = Laboratory(tmp_path / "alone", space)
    expected = alone.run(alone.search(sampler="random"))
    assert lab.run(lab.search(sampler="random")).points() == expected.points()
    assert len(lab.made) == 9 * EPOCHS
    assert lab.search(sampler="random").budget == expected.budget


def test_a_point_is_judged_by_its_first_seed_and_further_ones_wait_for_it(
    space: Space, tmp_path: Path
) -> None:
    def noisy(trial: Trial, epoch: int) -> float:
        return value(trial, epoch) + 0.01 * (trial.seed - FIRST_SEED)

    lab = Laboratory(tmp_path, space, noisy)
    search = lab.search(pruner="asha", seeds=3)
    running: list[tuple[str, Trial]] = []
    while (taken := search.take()) is not None:
        running.append(taken)
    assert {trial.seed for _, trial in running} == {FIRST_SEED}
    assert len(running) == 9
    for trial_id, trial in running:
        lab.train(search, trial_id, trial)
        search.ended(trial_id)
    lab.run(search)
    given_up = pruned(search)
    assert given_up
    for point in search.points():
        trials = [lab.storage.trial(i).shelf.read("history.json") for i in point["trials"]]
        assert sum(content is not None for content in trials) == (
            1 if point["number"] in given_up else 3
        )
        if point["number"] not in given_up:
            assert point["value"] == pytest.approx(point["epochs"][EPOCHS] + 0.01)
    assert search.budget == f"9 x 3 points, {len(lab.made)} of {9 * 3 * EPOCHS} epochs"


def test_a_trial_that_another_search_waits_for_is_not_stopped(space: Space, tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, space)
    strict, patient = lab.search(sampler="random"), lab.search(sampler="random", pruner="none")
    left = []
    while (taken := strict.take()) is not None:
        assert patient.take() is not None
        trial_id, trial = taken
        assert lab.train(patient, trial_id, trial)  # the patient one is told, and waits to the end
        for epoch in range(1, EPOCHS):
            left.append(strict.reported(trial_id))
            assert patient.reported(trial_id), epoch
        strict.ended(trial_id)
        patient.ended(trial_id)
    assert strict.lost == patient.lost == []
    assert pruned(strict)
    assert not pruned(patient)
    assert not all(left)


def test_a_point_that_fails_is_failed_and_not_pruned(space: Space, tmp_path: Path) -> None:
    def breaking(trial: Trial, epoch: int) -> float:
        return math.nan if epoch == 2 and trial.recipe.lr > 0.05 else value(trial, epoch)

    lab = Laboratory(tmp_path, space, breaking)
    search = lab.run(lab.search(14, sampler="random"))
    states = {point["state"] for point in search.points()}
    assert states == {"complete", "pruned", "fail"}
    assert search.budget == f"14 points, {len(lab.made)} of {14 * EPOCHS} epochs"


def test_a_repeated_point_is_told_that_it_was_pruned(trial: Trial, tmp_path: Path) -> None:
    fixed = ("targets.period", "targets.share")
    longer = trial.but(targets=Use(Periodic), recipe=trial.recipe.but(epochs=EPOCHS))
    space = Space(longer, KINDS["parts"], fixed)
    worth = {"off": 0.1, "steps": 0.5, "mix": 0.9}
    lab = Laboratory(tmp_path, space, lambda t, epoch: worth[t.targets["mode"]])
    search = lab.run(lab.search(10, "asha", sampler="random"))
    assert search.exhausted
    by_number = {point["number"]: point for point in search.points()}
    repeated = [p for p in search.points() if p["repeats"] is not None and p["state"] == "pruned"]
    assert repeated
    for point in repeated:
        original = by_number[point["repeats"]]
        assert (point["value"], point["epochs"]) == (original["value"], original["epochs"])
    assert len(search.pruned) == len(pruned(search)) - len(repeated)


def test_another_pruner_is_another_search_and_other_settings_are_refused(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Laboratory(tmp_path, space)
    names = {lab.search(pruner=name).name for name in ("none", *PRUNERS)}
    assert len(names) == 4
    kind, _ = PRUNERS["median"]
    monkeypatch.setitem(PRUNERS, "median", (kind, lambda epochs: {"n_startup_trials": 3}))
    with pytest.raises(Invalid, match=r"pruner\.n_startup_trials was 5, is 3"):
        lab.search()
