"""Fused trials whose steps are repeated, beside the same ones with ordinary steps."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor, nn

from tests.trainables.like_gpu import HERE, recordings_made
from tests.trainables.small import SITE
from tests.trainables.test_contract import TRIALS as OURS
from tests.trainables.test_contract import started
from tests.trainables.training.test_captured import Outside, Unsure
from tests.trainables.training.test_fused import BASE, TRIALS, Raising, Stop
from trainables.contract.bits import different
from trainables.contract.resumed import outcome
from trainables.data.data import Batch
from trainables.selection import Epoch
from trainables.settings import Use
from trainables.storage.result import Result
from trainables.storage.storage import Storage
from trainables.targets.disturb import Disturb
from trainables.targets.one_hot import OneHot
from trainables.task import Out
from trainables.training.captured import uncaptured, uncaptured_together
from trainables.training.fit_fused import fit_fused
from trainables.training.fused import unfused
from trainables.training.recordable import Watch
from trainables.training.site import Site
from trainables.trial import Trial


@pytest.fixture(autouse=True)
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return recordings_made(monkeypatch)


def fitted(trials: Sequence[Trial], path: Path, site: Site) -> dict[str, Result]:
    """Their results by id."""
    storage = Storage(path)
    fit_fused(trials, storage, site, told=lambda error: None)
    found = {trial.id: storage.trial(trial.id).result() for trial in trials}
    return {trial_id: result for trial_id, result in found.items() if result}


def assert_same(trials: Sequence[Trial], one: Path, other: Path) -> None:
    """All that is recorded, bit for bit."""
    for trial in trials:
        assert not different(outcome(trial, Storage(one)), outcome(trial, Storage(other)))


def test_repeated_steps_end_bit_for_bit_as_others(recordings: list[int], tmp_path: Path) -> None:
    repeated = fitted(TRIALS, tmp_path / "repeated", HERE)
    assert recordings == [5 * BASE.recipe.batch_size] * 3  # once an epoch, of all trials
    plain = fitted(TRIALS, tmp_path / "plain", SITE)
    assert_same(TRIALS, tmp_path / "repeated", tmp_path / "plain")
    assert {result.site["fused"] for result in repeated.values()} == {5}
    assert [result.site.get("captured") for result in repeated.values()] == [True] * 5
    assert [result.site.get("captured") for result in plain.values()] == [None] * 5


def test_what_was_stopped_goes_on_bit_for_bit(recordings: list[int], tmp_path: Path) -> None:
    def stop(trial: Trial, epoch: Epoch) -> None:
        if epoch["epoch"] == 2 and trial == TRIALS[-1]:
            raise Stop

    with pytest.raises(Stop):
        fit_fused(TRIALS, Storage(tmp_path / "stopped"), HERE, stop)
    before = len(recordings)
    resumed = fitted(TRIALS, tmp_path / "stopped", SITE)
    assert len(recordings) == before
    assert [result.site.get("captured") for result in resumed.values()] == [True] * 5
    fitted(TRIALS, tmp_path / "plain", SITE)
    assert_same(TRIALS, tmp_path / "stopped", tmp_path / "plain")


class Undeclared(Disturb):
    draws = False


def test_trials_that_use_chance_or_cannot_be_captured_step_apart(
    recordings: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    apart = [
        BASE.but(targets=Use(part), seed=seed) for part in (Disturb, Unsure) for seed in (0, 1)
    ]
    found = fitted([*TRIALS[:3], *apart], tmp_path / "here", HERE)
    how = [(result.site["fused"], "captured" in result.site) for result in found.values()]
    assert how == [(3, True)] * 3 + [(4, False)] * 4
    assert recordings == [3 * BASE.recipe.batch_size] * 3
    assert capsys.readouterr().out == ""
    fitted(apart, tmp_path / "plain", SITE)
    assert_same(apart, tmp_path / "here", tmp_path / "plain")


def test_where_a_part_uses_chance_unsaid_each_trial_has_its_own_all_the_same(
    recordings: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [TRIALS[0], *(BASE.but(targets=Use(Undeclared), seed=seed) for seed in range(2))]
    fitted(trials, tmp_path / "here", HERE)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("steps are not captured: chance is used in a step (aten.")
    assert recordings == []
    fitted(trials, tmp_path / "plain", SITE)
    assert_same(trials, tmp_path / "here", tmp_path / "plain")


class Late(Disturb):
    """It uses chance from the second epoch on, and does not say so."""

    draws = False
    epochs = 0

    def forward(self, batch: Batch, out: Out) -> Tensor:
        if self.epochs:
            return super().forward(batch, out)
        return nn.functional.one_hot(batch.y, self.task.classes).float()

    def end_epoch(self) -> None:
        self.epochs += 1


def test_chance_that_is_used_in_a_later_epoch_is_seen_where_it_would_be_recorded(
    recordings: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [BASE.but(targets=Use(Late), seed=seed) for seed in range(2)]
    fitted(trials, tmp_path / "here", HERE)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("steps are not captured: chance is used in a step (aten.")
    fitted(trials, tmp_path / "plain", SITE)
    assert_same(trials, tmp_path / "here", tmp_path / "plain")


class Faint(Outside):
    """With a thousandth of the others' loss."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return super().forward(batch, out) / 1000


def test_each_trial_s_gradient_is_compared_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [*TRIALS[:2], BASE.but(targets=Use(Faint))]
    fitted(trials, tmp_path / "here", HERE)
    assert "steps are not captured: its gradients would be " in capsys.readouterr().out
    fitted(trials, tmp_path / "plain", SITE)
    assert_same(trials, tmp_path / "here", tmp_path / "plain")


def test_a_gradient_that_is_no_number_stops_no_other(tmp_path: Path) -> None:
    wild = BASE.but(targets=Use(Wild))
    found = fitted([*TRIALS[:2], wild], tmp_path / "here", HERE)
    assert [result.reason for result in found.values()][:2] == [None, None]
    assert found[wild.id].reason.startswith("the loss was ")
    assert [found[trial.id].site.get("captured") for trial in TRIALS[:2]] == [True, True]
    fitted([*TRIALS[:2], wild], tmp_path / "plain", SITE)
    assert_same(TRIALS[:2], tmp_path / "here", tmp_path / "plain")


class Wild(OneHot):
    def forward(self, batch: Batch, out: Out) -> Tensor:
        return super().forward(batch, out) * math.inf


def test_our_parts_say_whether_they_use_chance(tmp_path: Path) -> None:
    for name, trial in OURS.items():
        if not uncaptured(trial) and not unfused(trial):
            run = started(trial, tmp_path / name)
            batch = next(run.batches())
            run.reseed()
            with Watch(draws=False) as watch:
                run.captured.ordinary([batch])
            said = uncaptured_together(trial)
            assert watch.found.startswith("chance") == said.endswith(" uses chance"), name


@pytest.mark.parametrize("at", [1, 2])
def test_a_part_that_fails_before_steps_are_repeated_ends_its_own_trial_alone(
    at: int, tmp_path: Path
) -> None:
    """In the step that is watched, in the one that is compared."""
    broken = BASE.but(loss=Use(Raising, at=at))
    others = [TRIALS[0], TRIALS[2]]
    found = fitted([others[0], broken, others[1]], tmp_path / "here", HERE)
    assert found[broken.id].reason == "ZeroDivisionError: by the loss"
    assert [found[trial.id].reason for trial in others] == [None, None]
    fitted([others[0], broken, others[1]], tmp_path / "plain", SITE)
    assert_same(others, tmp_path / "here", tmp_path / "plain")


def test_a_part_that_fails_in_the_recording_alone_ends_no_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fitted([TRIALS[0], BASE.but(loss=Use(Raising, at=3))], tmp_path, HERE)
    assert [result.reason for result in found.values()] == [None, None]
    assert capsys.readouterr().out == "steps are not captured: ZeroDivisionError: by the loss\n"
