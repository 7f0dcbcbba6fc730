"""GLC by hand: the matrix of corruption, and the loss that sees labels through it."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from trainables.data.data import Batch
from trainables.methods.glc import GLC
from trainables.settings import Use
from trainables.trial import Trial

META = {"data.meta_per_class": 1}


def glc() -> GLC:
    built: GLC = pixel_method(GLC, [0, 1, 1, 2, 2, 2], **META)
    return built


def test_the_matrix_is_the_teachers_mean_probability_on_clean_images() -> None:
    built = glc()
    p = tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.4, 0.1, 0.5], [0.2, 0.3, 0.5]])

    def teacher(x: Tensor) -> SimpleNamespace:
        return SimpleNamespace(scores=p.log())

    def sweep(meta: bool = False) -> Iterator[Batch]:
        assert meta
        yield batch([0, 1, 2, 2])

    built.task = replace(built.task, teacher=lambda changes: teacher)
    built.start_epoch(0, sweep)
    assert_close(built.corruption, tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.3, 0.2, 0.5]]))
    assert_close(built.share, tensor(0.4))  # four clean images and six others


def test_a_given_label_is_seen_through_the_matrix_and_a_clean_one_is_not() -> None:
    built = glc()
    built.corruption.copy_(tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.3, 0.2, 0.5]]))
    built.share.fill_(0.25)
    metrics = built.update(replace(batch([1], X), meta=batch([0], X)), lr=0.0)
    # p is 1/3 each: class 1 is given with probability (0.3 + 0.7 + 0.2) / 3 = 0.4.
    assert_close(metrics["loss"], -(0.75 * tensor(0.4).log() + 0.25 * tensor(1 / 3).log()))


def test_the_matrix_is_part_of_the_state_and_the_teacher_is_not() -> None:
    of_model = {f"model.{name}" for name in glc().model.state_dict()}
    assert set(glc().state_dict()) == {*of_model, "corruption", "share", "_extra_state"}


def test_the_teacher_is_the_plain_trial() -> None:
    trial: Trial = small_trial(method=Use(GLC), **{"data.meta_per_class": 1})
    assert trial.teachers() == (small_trial(**{"data.meta_per_class": 1}),)


def test_what_the_matrix_says_cannot_be_has_a_finite_loss() -> None:
    built = glc()
    built.corruption.copy_(torch.tensor([[1.0, 0, 0]] * 3))
    metrics = built.update(replace(batch([1], X), meta=batch([0], X)), lr=0.1)
    assert metrics["loss"].isfinite()
