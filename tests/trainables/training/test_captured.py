"""Captured training, with a recording that any device can make in the place of a CUDA graph."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.like_gpu import HERE, recordings_made
from tests.trainables.small import NOWHERE, small_trial
from tests.trainables.test_contract import TRIALS, started
from trainables.contract.bits import different
from trainables.contract.repeated import Reruns
from trainables.contract.resumed import kill_in_step, outcome
from trainables.data.data import Batch
from trainables.methods.method import Method
from trainables.methods.pencil import PENCIL
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.targets.one_hot import OneHot
from trainables.targets.targets import Targets
from trainables.task import Out
from trainables.training.captured import Captured, uncaptured
from trainables.training.fit import fit
from trainables.training.recorder import Every, Graphs, Passes
from trainables.training.run import Run
from trainables.training.site import Site
from trainables.training.workers import Workers
from trainables.trial import Trial

# Those whose step is not an ordinary one: the weights of a batch's images are learned, or two nets
# or stages of one are trained, or labels are changed by gradients.
ANEW = {
    *("Advisor", "Arazo", "BYOT", "CoTeaching", "DistortionDistillation", "FineTuning", "GDW"),
    *("GLC", "L2RW", "LWS", "MetaSampler", "MWNet", "PENCIL", "ProtoNet", "SelfLearning"),
}


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return recordings_made(monkeypatch)


def repeating(trial: Trial, path: Path) -> Run:
    """A run that watches its first step, compares the second one, and repeats the others."""
    run = started(trial, path)
    run.captured = Captured(
        run.method, trial.recipe.batch_size, run.site.device, Reruns(), warm_up=1
    )
    return run


def test_every_trial_with_ordinary_steps_has_them_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, trial in TRIALS.items():
        assert bool(uncaptured(trial)) == (name in ANEW), name
        if name not in ANEW:
            run = repeating(trial, tmp_path / name)
            run.take_steps()
            assert run.captured.repeats, (name, capsys.readouterr().out)
    assert capsys.readouterr().out == ""


def test_what_cannot_be_captured_is_named() -> None:
    trial = small_trial(method=Use(PENCIL, stage1=1.0, stage2=2.0))
    assert uncaptured(trial) == "PENCIL(stage1=1.0, stage2=2.0) cannot be captured"
    assert uncaptured(small_trial(targets=Use(Unsure))) == "Unsure() cannot be captured"
    assert uncaptured(small_trial()) == ""


class Unsure(OneHot):
    @classmethod
    def captures(cls, **settings: Any) -> bool:
        return False


def test_of_a_short_last_batch_the_step_is_made_as_ever(
    recordings: list[int], tmp_path: Path
) -> None:
    trial = small_trial(**{"recipe.batch_size": 8})  # of 20 images
    whole = trained(trial, tmp_path / "repeated", HERE)
    assert recordings == [8, 8, 8]  # once an epoch
    assert not different(whole, trained(trial, tmp_path / "plain"))


def test_a_captured_trial_says_so_and_killed_ends_bit_for_bit_as_any(
    recordings: list[int], tmp_path: Path
) -> None:
    trial = small_trial(**{"recipe.batch_size": 5})
    expected = trained(trial, tmp_path / "plain")
    for step in (2, 6, 11):  # compared, the second in its epoch, the third
        storage = Storage(tmp_path / f"{step}")
        kill_in_step(step, trial, storage, HERE)
        result = fit(trial, storage, HERE)
        assert result.site["captured"] is True
        assert not different(outcome(trial, storage), expected)
    assert recordings


def test_that_steps_were_repeated_is_known_where_the_rest_is_made_anew(
    recordings: list[int], tmp_path: Path
) -> None:
    trial, storage = small_trial(**{"recipe.batch_size": 5}), Storage(tmp_path)
    kill_in_step(11, trial, storage, HERE)
    assert recordings
    result = fit(trial, storage, Site(NOWHERE, torch.device("cpu")))
    assert result.site["captured"] is True


def trained(trial: Trial, path: Path, site: Site | None = None) -> dict[str, Any]:
    storage = Storage(path)
    result = fit(trial, storage, site or Site(NOWHERE, torch.device("cpu")))
    assert result.reason is None
    assert result.site.get("captured", False) == (site is not None)
    return outcome(trial, storage)


def test_only_a_gpu_with_one_worker_captures_and_not_where_it_is_told_not_to() -> None:
    gpu = Site(NOWHERE, torch.device("cuda"))
    assert gpu.captures
    assert not replace(gpu, capture=False).captures
    assert not replace(gpu, workers=Workers(0, 2)).captures
    assert not replace(gpu, device=torch.device("cpu")).captures


# What steps cannot be repeated of


class Reading(OneHot):
    """It looks how sure the net is."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return super().forward(batch, out) * (0.5 if float(out.scores.detach().max()) > 0 else 1.0)


class Masking(OneHot):
    """It leaves out some images."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        target = super().forward(batch, out).clone()
        target[batch.y > 5] = target[batch.y > 5] / 2
        return target


class Making(OneHot):
    """It makes a tensor of a number."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        return super().forward(batch, out) * torch.tensor(0.5)


class Outside(OneHot):
    """Numpy writes the target, which no recording sees."""

    def forward(self, batch: Batch, out: Out) -> Tensor:
        target = torch.zeros(len(batch.y), self.task.classes)
        target.numpy()[range(len(batch.y)), batch.y.numpy()] = 1
        return target


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (Reading, "a number is read in a step (aten._local_scalar_dense.default)"),
        (Masking, "elements are selected by a mask in a step (aten.index.Tensor)"),
        (Making, "a tensor is made of numbers in a step (aten.lift_fresh.default)"),
        (Outside, "its gradients would be "),
    ],
)
def test_steps_that_cannot_be_repeated_are_made_as_ever_and_a_line_says_why(
    part: type[Targets], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = small_trial(targets=Use(part))
    run, plain = repeating(trial, tmp_path / "one"), started(trial, tmp_path / "other")
    for one in (run, plain):
        for _ in range(2):
            one.take_steps()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"steps are not captured: {why}")
    assert not run.captured.repeats
    assert not different(run.method.state_dict(), plain.method.state_dict())


def test_a_recording_that_fails_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, plain = (started(small_trial(), tmp_path / name) for name in "ab")

    class Failing(Reruns):
        def record(self, passes: Passes) -> tuple[Every, Callable[[], object]]:
            passes()
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    run.captured = Captured(run.method, 10, run.site.device, Failing(), warm_up=1)
    for one in (run, plain):
        one.take_steps()
    said = "RuntimeError: operation not permitted when stream is capturing"
    assert capsys.readouterr().out == f"steps are not captured: {said}\n"
    assert not different(run.method.state_dict(), plain.method.state_dict())


def test_too_little_memory_for_a_recording_is_the_trials_own_failure(tmp_path: Path) -> None:
    class Failing(Reruns):
        def record(self, passes: Passes) -> tuple[Every, Callable[[], object]]:
            raise torch.OutOfMemoryError

    run = started(small_trial(), tmp_path)
    run.captured = Captured(run.method, 10, run.site.device, Failing(), warm_up=1)
    with pytest.raises(torch.OutOfMemoryError):
        run.take_steps()


class Twice(Method):
    """Its step is an ordinary one, made twice."""

    def update(self, batch: Batch, lr: float) -> dict[str, Tensor]:
        super().update(batch, lr)
        return super().update(batch, lr)


def test_a_method_with_a_step_of_its_own_is_not_captured() -> None:
    assert not Twice.captures()
    assert Method.captures()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU makes the graph")
def test_without_a_gpu_there_is_no_graph() -> None:
    with pytest.raises(RuntimeError):
        Graphs().record(lambda: pytest.fail("nothing is recorded"))
