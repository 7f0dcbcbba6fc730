"""Searches whose trials have a teacher: it is trained once, and before them."""

from pathlib import Path

from study.search.space import KINDS, Space
from tests.study.laboratory import Laboratory
from trainables.losses.distillation import Distillation
from trainables.settings import Use
from trainables.targets.self_distilled import SelfDistilled
from trainables.trial import Trial


def test_a_teacher_is_trained_once_and_before_its_students(trial: Trial, tmp_path: Path) -> None:
    taught = trial.but(targets=Use(SelfDistilled), loss=Use(Distillation))
    laboratory = Laboratory(tmp_path, Space(taught, KINDS["parts"]), lambda t: 0.5)
    search = laboratory.search(3, sampler="random", seeds=2)
    teachers = [search.take() for _ in range(2)]
    assert all(teachers)
    assert [t.targets.name for _, t in filter(None, teachers)] == ["OneHot", "OneHot"]
    assert search.take() is None  # the students wait
    assert all(search.reported(i) for i, _ in filter(None, teachers))
    for taken in filter(None, teachers):
        laboratory.train(*taken)
        search.ended(taken[0])
    laboratory.run(search)
    assert len(laboratory.trained) == len(set(laboratory.trained)) == 2 + 3 * 2
    assert set(search.asked) == set(laboratory.trained)


def test_a_student_of_a_teacher_that_is_lost_is_not_trained(trial: Trial, tmp_path: Path) -> None:
    taught = trial.but(targets=Use(SelfDistilled), loss=Use(Distillation))
    laboratory = Laboratory(tmp_path, Space(taught, KINDS["parts"]), lambda t: 0.5)
    search = laboratory.search(3, sampler="random")
    taken = search.take()
    assert taken
    search.ended(taken[0])
    assert search.lost == [taken[0]]
    assert search.take() is None
