"""A teacher is a trial of its own, trained before the one that it teaches."""

from pathlib import Path

import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import SITE, Pixels, X, batch, out, pixel_method, small_trial
from trainables.data.loader import training_batches
from trainables.losses.distillation import Distillation
from trainables.methods.byot import BYOT
from trainables.methods.method import Method
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
    shown = next(training_batches(run.data, 20, [], 0, 0))
    model = run.method.model
    target = model.targets(shown, model(shown.x))
    assert_close(target, plain(shown.x).scores.softmax(1))
    run.method.update(shown, 0.1)
    assert torch.equal(model.targets(shown, model(shown.x)), target)
    assert not any("teacher" in name for name in run.method.state_dict())


def test_of_what_the_teacher_is_sure_of_there_are_logarithms() -> None:
    net = {"net": Use(Pixels), "targets": Use(SelfDistilled), "loss": Use(Distillation)}
    targets = pixel_method(Method, [0, 1, 2], **net).model.targets
    with torch.no_grad():
        targets._teacher[0].head.classifier.weight.zero_()[0, 0] = 200.0
        targets._teacher[0].head.classifier.bias.zero_()
    lit, said = batch([0], X), out(torch.zeros(1, 3))
    assert_close(targets(lit, said), tensor([[1.0, 0.0, 0.0]]))
    assert_close(targets.log(lit, said), tensor([[0.0, -200.0, -200.0]]))


def test_a_student_of_a_teacher_that_failed_fails(tmp_path: Path) -> None:
    student = STUDENT.set({"recipe.lr": 1e30})
    result = fit(student, Storage(tmp_path), SITE)
    (teacher,) = student.teachers()
    assert result.status == "failed"
    assert result.reason.startswith(f"its teacher {teacher.id} failed: the loss was")
