"""Trials that are trained together, beside the same ones trained separately."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from tests.trainables.small import CPU, SITE, small_trial
from trainables.data.augments.augment import Crop
from trainables.data.corruptions.symmetric import Symmetric
from trainables.data.data import Batch
from trainables.heads.cosine import Cosine
from trainables.heads.linear import Linear
from trainables.losses.center import CenterLoss
from trainables.losses.loss import Loss
from trainables.methods.byot import BYOT
from trainables.methods.method import Method
from trainables.nets.resnet import CifarResNet
from trainables.nets.torchvision_nets import MobileNetV2
from trainables.selection import Epoch
from trainables.settings import Count, Use
from trainables.storage.result import OUT_OF_MEMORY
from trainables.storage.storage import Storage
from trainables.targets.knowledge import Knowledge
from trainables.targets.online import Online
from trainables.targets.smooth import Smooth
from trainables.task import Out, Task
from trainables.training.fit import fit
from trainables.training.fit_fused import fit_fused
from trainables.training.fused import Together, alike, unfused
from trainables.training.run import Run
from trainables.trial import Trial

# Sums are taken in another order, in float32; so weights differ after three epochs at most.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


class Breaking(Loss):
    """In the step that shows a certain image: `how` it breaks."""

    how: Any = math.inf

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        if (batch.index == 3).any():
            if isinstance(self.how, Exception):
                raise self.how
            return out.scores.sum(1) * self.how
        return nn.functional.cross_entropy(out.scores, target, reduction="none")


class Raising(Loss):
    """At a call, counted from 1: there are two steps in each of three epochs."""

    def __init__(self, task: Task, *, at: Count = 1) -> None:
        super().__init__(task)
        self.at, self.calls = at, 0

    def forward(self, out: Out, target: Tensor, batch: Batch) -> Tensor:
        self.calls += 1
        if self.calls == self.at:
            raise ZeroDivisionError("by the loss")
        return nn.functional.cross_entropy(out.scores, target, reduction="none")


class Unobserving(Smooth):
    def observe(self, batch: Batch, out: Out) -> None:
        raise ZeroDivisionError("by the targets")


class Misjudging(Linear):
    def hits(self, output: Tensor, y: Tensor) -> dict[str, Tensor]:
        raise ZeroDivisionError("by the head")


class Hungry(Breaking):
    how = torch.OutOfMemoryError("no more")


BASE = small_trial()
TRIALS = [
    BASE,
    BASE.but(seed=1),
    BASE.but(targets=Use(Online), loss=Use(CenterLoss, weight=0.1)),
    BASE.but(targets=Use(Knowledge, hierarchy="strokes"), head=Use(Cosine)).resolved(
        SITE.folder, {}
    ),
    BASE.set({"data.corrupt": (Use(Symmetric, rate=0.4),), "targets": Use(Smooth)}),
]


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(tmp_path_factory.mktemp("separate"))
    for trial in TRIALS:
        assert fit(trial, storage, SITE).reason is None
    return storage


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    storage = Storage(tmp_path_factory.mktemp("fused"))
    fit_fused(TRIALS, storage, SITE)
    return storage


def assert_alike(trial: Trial, found: Storage, expected: Storage) -> None:
    """All that is recorded, within the tolerance."""
    result, right = found.trial(trial.id).result(), expected.trial(trial.id).result()
    assert result
    assert right
    assert (result.reason, result.realised_noise) == (None, right.realised_noise)
    for epoch, known in zip(result.history, right.history, strict=True):
        assert epoch.keys() == known.keys()
        for name in epoch.keys() - {"time", "seconds"}:
            assert epoch[name] == pytest.approx(known[name], rel=1e-4, abs=1e-6), name
    state, known_state = (s.trial(trial.id).model(CPU) for s in (found, expected))
    assert_close(state, known_state, **TOLERANCE)
    outputs, known_outputs = (s.trial(trial.id).outputs() for s in (found, expected))
    assert_close(outputs, known_outputs, **TOLERANCE)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.id)
def test_a_fused_trial_is_the_separate_one_but_for_the_order_of_sums(
    trial: Trial, fused: Storage, separate: Storage
) -> None:
    assert_alike(trial, fused, separate)
    files, known = fused.trial(trial.id), separate.trial(trial.id)
    assert sorted(files.shelf.names("*")) == sorted(known.shelf.names("*"))
    assert files.shelf.size("model.pt") == pytest.approx(known.shelf.size("model.pt"), rel=0.02)
    assert files.settings() == trial.flat()


def test_a_result_says_with_how_many_it_was_trained(fused: Storage, separate: Storage) -> None:
    for trial in TRIALS:
        assert fused.trial(trial.id).result().site["fused"] == len(TRIALS)
        assert "fused" not in separate.trial(trial.id).result().site


def test_one_that_is_left_alone_is_a_fused_one(tmp_path: Path, separate: Storage) -> None:
    """So that a table that was interrupted before its last trial is not a mixed one."""
    storage = Storage(tmp_path)
    fit_fused(TRIALS[2:3], storage, SITE)
    assert storage.trial(TRIALS[2].id).result().site["fused"] == 1
    assert_alike(TRIALS[2], storage, separate)


def test_time_is_shared_among_them(tmp_path: Path) -> None:
    passed: list[Epoch] = []
    fit_fused(TRIALS, Storage(tmp_path), SITE, lambda trial, epoch: passed.append(epoch))
    results = [Storage(tmp_path).trial(trial.id).result() for trial in TRIALS]
    whole = max(e["time"] for e in passed) - min(e["time"] for e in passed)
    assert sum(result.seconds for result in results) > whole  # of all but the first epoch
    assert max(result.seconds for result in results) < whole


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (Breaking, "the loss was "),
        (Hungry, OUT_OF_MEMORY),
    ],
)
def test_where_one_fails_the_others_go_on(
    loss: type[Loss], reason: str, tmp_path: Path, separate: Storage
) -> None:
    storage, broken = Storage(tmp_path), BASE.but(loss=Use(loss))
    told: list[Exception] = []
    fit_fused([TRIALS[0], broken, TRIALS[2]], storage, SITE, told=told.append)
    result = storage.trial(broken.id).result()
    assert result
    assert result.reason
    assert result.reason.startswith(reason)
    assert told == []
    for trial in (TRIALS[0], TRIALS[2]):
        assert_alike(trial, storage, separate)


@pytest.mark.parametrize(
    ("broken", "by", "epochs"),
    [
        *[({"loss": Use(Raising, at=n)}, "the loss", (n - 1) // 2) for n in range(1, 7)],
        ({"targets": Use(Unobserving)}, "the targets", 0),
        ({"head": Use(Misjudging)}, "the head", 0),
    ],
)
def test_a_part_that_fails_ends_its_own_trial_alone(
    broken: dict[str, Use], by: str, epochs: int, tmp_path: Path, separate: Storage
) -> None:
    """In whichever step: the others have all epochs, each measured. Two fail in one step, too."""
    storage, told = Storage(tmp_path), list[Exception]()
    one, other = BASE.but(**broken), BASE.but(seed=5, **broken)
    fit_fused([TRIALS[0], one, TRIALS[2], other], storage, SITE, told=told.append)
    for trial in (one, other):
        result = storage.trial(trial.id).result()
        assert result
        assert result.reason == f"ZeroDivisionError: by {by}"
        assert len(result.history) == epochs
    assert len(told) == 2
    for trial in (TRIALS[0], TRIALS[2]):
        assert_alike(trial, storage, separate)


def test_a_part_that_fails_as_all_are_evaluated_ends_its_own_trial_alone(
    tmp_path: Path, separate: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU."""
    patched = Together.__init__

    def on_a_gpu(self: Together, runs: Sequence[Run]) -> None:
        patched(self, runs)
        self.evaluates = True

    monkeypatch.setattr(Together, "__init__", on_a_gpu)
    storage, broken = Storage(tmp_path), BASE.but(head=Use(Misjudging))
    fit_fused([TRIALS[0], broken, TRIALS[2]], storage, SITE, told=lambda error: None)
    assert storage.trial(broken.id).result().reason == "ZeroDivisionError: by the head"
    for trial in (TRIALS[0], TRIALS[2]):
        assert_alike(trial, storage, separate)


class Stop(BaseException):
    """Tune's, in the place of the next epoch."""


def test_what_was_stopped_goes_on_bit_for_bit(tmp_path: Path, fused: Storage) -> None:
    def stop(trial: Trial, epoch: Epoch) -> None:
        if epoch["epoch"] == 2 and trial == TRIALS[-1]:
            raise Stop

    storage = Storage(tmp_path)
    with pytest.raises(Stop):
        fit_fused(TRIALS, storage, SITE, stop)
    assert list(storage.results()) == []
    fit_fused(TRIALS, storage, SITE)
    for trial in TRIALS:
        first, second = (s.trial(trial.id).model(CPU) for s in (fused, storage))
        assert_close(first, second, rtol=0, atol=0)


def test_one_that_is_behind_comes_to_the_others_by_itself(
    tmp_path: Path, separate: Storage
) -> None:
    def stop(trial: Trial, epoch: Epoch) -> None:
        if epoch["epoch"] == 2 and trial == TRIALS[0]:  # the others have one epoch
            raise Stop

    storage, begun = Storage(tmp_path), time.monotonic()
    with pytest.raises(Stop):
        fit_fused(TRIALS, storage, SITE, stop)
    assert [len(storage.trial(t.id).history()) for t in TRIALS] == [2, 1, 1, 1, 1]
    seen: list[tuple[Trial, float]] = []
    fit_fused(TRIALS, storage, SITE, lambda trial, epoch: seen.append((trial, epoch["epoch"])))
    for trial in TRIALS:
        assert_alike(trial, storage, separate)
    seconds = [storage.trial(trial.id).result().seconds for trial in TRIALS]
    assert sum(seconds) < time.monotonic() - begun  # none counts what it waited for others
    assert [epoch for trial, epoch in seen if trial == TRIALS[0]] == [3]
    assert [epoch for trial, epoch in seen if trial == TRIALS[1]] == [2, 3]


def test_what_has_a_result_is_left_alone(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    before = fit(TRIALS[0], storage, SITE)
    seen: list[Trial] = []
    fit_fused(TRIALS[:3], storage, SITE, lambda trial, epoch: seen.append(trial))
    assert set(seen) == set(TRIALS[1:3])
    assert storage.trial(TRIALS[0].id).result() == before


def test_other_numbers_of_images_are_other_groups(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    trials = [*TRIALS[:2], *(t.set({"data.train_per_class": 3}) for t in TRIALS[:2])]
    fit_fused(trials, storage, SITE)
    assert [storage.trial(t.id).result().site["fused"] for t in trials] == [2, 2, 2, 2]


class OwnStep(Method):
    """With a step of its own."""

    nothing_to_search = "is a test's"

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        return super().update(batch, lr)


def test_what_cannot_be_fused_is_named() -> None:
    assert [unfused(trial) for trial in TRIALS] == [""] * len(TRIALS)
    assert unfused(BASE.but(method=Use(BYOT))).startswith("BYOT(")
    assert unfused(BASE.but(method=Use(OwnStep))) == "OwnStep() cannot be fused"
    assert unfused(BASE.but(net=Use(MobileNetV2))).startswith("MobileNetV2(")


def test_alike_are_trials_that_differ_in_parts_wrong_labels_and_seed() -> None:
    assert len({alike(trial) for trial in TRIALS}) == 1
    for change in (
        {"recipe.lr": 0.1},
        {"recipe.augment": (Use(Crop, padding=2),)},
        {"net": Use(CifarResNet, depth=8, width=5)},
        {"data.train_per_class": 3},
    ):
        assert alike(BASE.set(change)) != alike(BASE)


def test_what_is_evaluated_together_is_what_each_finds_alone(tmp_path: Path) -> None:
    """As on a GPU. The wrong labels of two runs differ, and of others there are none."""
    wrong = [TRIALS[-1].but(seed=seed) for seed in range(2)]
    runs = [Run(t, Storage(tmp_path).trial(t.id), SITE) for t in (*TRIALS[:3], *wrong)]
    together = Together(runs)
    assert not together.evaluates
    together.take_steps()
    assert together.evaluated() == [{}] * 5
    together.evaluates = True
    for run, found in zip(runs, together.evaluated(), strict=True):
        assert list(found) == ["validation"]
        assert_close(
            found["validation"], run.evaluation.of(run.evaluation.splits["validation"]), **TOLERANCE
        )
