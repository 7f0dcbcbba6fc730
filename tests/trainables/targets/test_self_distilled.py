"""A teacher is a trial of its own, trained before the one that it teaches."""

from pathlib import Path

import torch
from torch.testing import assert_close

from tests.trainables.small import SITE, small_trial
from trainables.data.loader import training_batches
from trainables.losses.distillation import Distillation
from trainables.methods.byot import BYOT
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.targets.self_distilled import SelfDistilled
from trainables.targets.smooth import Smooth
from trainables.training.fit import fit
from trainables.training.run import Run

STUDENT = small_trial(
    targets=Use(SelfDistilled), loss=Use(Distillation, alpha=0.95, temperature=6), seed=3
)
PLAIN = small_trial(seed=3)


def test_the_teacher_is_the_plain_trial_with_the_same_seed() -> None:
    assert STUDENT.teachers() == (PLAIN,)
    assert small_trial(targets=Use(Smooth)).teachers() == ()


def test_the_teacher_is_plain_whatever_method_the_student_is_trained_by() -> None:
    assert STUDENT.but(method=Use(BYOT, alpha=0.5)).teachers() == (PLAIN,)


def test_the_teacher_is_trained_first_and_once(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    assert fit(STUDENT, storage, SITE).status == "finished"
    assert set(storage.results()) == {STUDENT.id, PLAIN.id}
    ended = storage.trial(PLAIN.id).result().ended
    assert fit(PLAIN, storage, SITE).ended == ended


def test_its_distribution_is_the_target_and_stays_what_it_is(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    fit(STUDENT, storage, SITE)

    def trained(trial: object) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = storage.trial(PLAIN.id).shelf.load("model.pt")
        return state

    run = Run(STUDENT, storage.trial("another"), SITE, trained)
    plain = run.task.teacher(SelfDistilled.teacher())
    batch = next(training_batches(run.data, 20, [], 0, 0))
    model = run.method.model
    target = model.targets(batch, model(batch.x))
    assert_close(target, plain(batch.x).scores.softmax(1))
    run.method.update(batch, 0.1)
    assert torch.equal(model.targets(batch, model(batch.x)), target)
    assert not any("teacher" in name for name in run.method.state_dict())


def test_a_student_of_a_teacher_that_failed_fails(tmp_path: Path) -> None:
    student = STUDENT.set({"recipe.lr": 1e30})
    result = fit(student, Storage(tmp_path), SITE)
    (teacher,) = student.teachers()
    assert result.status == "failed"
    assert result.reason.startswith(f"its teacher {teacher.id} failed: the loss was")
