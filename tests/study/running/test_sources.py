"""The trials of a table: teachers first, each once."""

from pathlib import Path

import pytest

from study.running.sources import Queue, TrialSource
from study.running.sources import queue as queue_of
from tests.study.running.others import command, finish
from trainables.methods.byot import BYOT
from trainables.settings import Use
from trainables.storage.storage import Storage
from trainables.targets.self_distilled import SelfDistilled
from trainables.targets.smooth import Smooth
from trainables.trial import Trial


def taken(source: TrialSource) -> list[str]:
    """All that it hands out now."""
    found = []
    while (one := source.take()) is not None:
        found.append(one[0])
    return found


def test_a_trial_waits_for_its_teachers(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    finish(storage, "earlier")
    waits = {"student": ("teacher", "earlier"), "next": ("student",)}
    queue = Queue(dict.fromkeys(("next", "student", "teacher", "other"), trial), storage, waits)
    assert taken(queue) == ["teacher", "other"]
    finish(storage, "other")
    queue.ended("other")
    assert taken(queue) == []
    finish(storage, "teacher")
    queue.ended("teacher")
    assert taken(queue) == ["student"]
    finish(storage, "student")
    queue.ended("student")
    assert taken(queue) == ["next"]
    assert queue.lost == []


def test_with_a_failed_teacher_a_trial_fails_untrained(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    student, last = trial.but(seed=1), trial.but(seed=2)
    waits = {student.id: (trial.id,), last.id: (student.id,)}
    queue = Queue({t.id: t for t in (last, student, trial)}, storage, waits)
    assert taken(queue) == [trial.id]
    finish(storage, trial.id, "the loss was nan")
    queue.ended(trial.id)
    assert taken(queue) == []
    result = storage.trial(student.id).shelf.read_json("result.json")
    reason = f"its teacher {trial.id} failed: the loss was nan"
    assert (result["status"], result["reason"], result["history"]) == ("failed", reason, [])
    assert storage.trial(student.id).shelf.read_json("trial.json") == student.flat()
    reason = f"its teacher {student.id} failed: {reason}"
    assert storage.trial(last.id).result().reason == reason
    assert queue.lost == []


def test_without_a_teacher_s_result_a_trial_is_lost_with_it(tmp_path: Path, trial: Trial) -> None:
    waits = {"student": ("teacher",), "next": ("student",)}
    queue = Queue(dict.fromkeys(("teacher", "student", "next"), trial), Storage(tmp_path), waits)
    queue.take()
    queue.ended("teacher")
    assert taken(queue) == []
    assert queue.lost == ["teacher", "student", "next"]


def test_the_queue_has_the_teachers_too_and_each_once(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    students = [trial.but(targets=Use(SelfDistilled), seed=seed) for seed in (0, 0, 1)]
    teachers = [teacher for student in students for teacher in student.teachers()]
    assert len({teacher.id for teacher in teachers}) == 2
    finish(storage, teachers[-1].id)
    queue = queue_of({student.id: student for student in students}, storage)
    assert taken(queue) == [teachers[0].id, students[-1].id]
    finish(storage, teachers[0].id)
    queue.ended(teachers[0].id)
    assert taken(queue) == [students[0].id]


def test_beside_others_each_command_has_an_order_of_its_own(tmp_path: Path, trial: Trial) -> None:
    storage = Storage(tmp_path)
    trials = {(one := trial.but(seed=seed)).id: one for seed in range(9)}
    mine = command(storage, "mine")
    assert taken(queue_of(trials, storage, mine)) == list(trials)
    orders = [taken(queue_of(trials, storage, c)) for c in (command(storage, "other"), mine)]
    assert orders[0] != orders[1] != list(trials)
    assert set(orders[0]) == set(orders[1]) == set(trials)


def alike(trial: Trial, count: int) -> dict[str, Trial]:
    return {one.id: one for one in (trial.but(seed=seed) for seed in range(count))}


def groups(queue: Queue) -> list[list[str]]:
    """Those that it hands out together."""
    found = []
    while (one := queue.take()) is not None:
        found.append([one[0], *(queue.beside(*one) or {})])
    return found


@pytest.mark.parametrize(
    ("count", "fuse", "sizes"), [(5, 4, [3, 2]), (9, 4, [3, 3, 3]), (3, 8, [3])]
)
def test_alike_ones_are_taken_together_in_groups_of_about_one_size(
    count: int, fuse: int, sizes: list[int], tmp_path: Path, trial: Trial
) -> None:
    trials = alike(trial, count)
    found = groups(Queue(trials, Storage(tmp_path), fuse=fuse))
    assert [len(group) for group in found] == sizes
    assert [i for group in found for i in group] == list(trials)


def test_what_is_not_alike_or_cannot_be_fused_is_taken_alone(tmp_path: Path, trial: Trial) -> None:
    one, two = alike(trial, 2).values()
    other, own = two.set({"recipe.lr": 0.3}), two.but(method=Use(BYOT))
    smooth = one.but(targets=Use(Smooth))
    trials = {t.id: t for t in (one, own, other, two, smooth)}
    found = groups(Queue(trials, Storage(tmp_path), fuse=4))
    assert found == [[one.id, two.id, smooth.id], [own.id], [other.id]]
    assert groups(Queue(trials, Storage(tmp_path))) == [[i] for i in trials]


def test_what_waits_for_a_teacher_is_not_taken_with_others(tmp_path: Path, trial: Trial) -> None:
    storage, trials = Storage(tmp_path), alike(trial, 3)
    first, second, last = trials
    queue = Queue(trials, storage, {last: (first,)}, fuse=4)
    assert groups(queue) == [[first, second]]
    finish(storage, first)
    queue.ended(first)
    assert groups(queue) == [[last]]
