"""Fine-tuning: which images a step is on, by how far the training is."""

from dataclasses import replace

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from trainables.methods.fine_tuning import FineTuning
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth


def bias_after_a_step(epoch: int) -> torch.Tensor:
    """Of three epochs; labelled 1 in training, 0 in the meta-set."""
    built = pixel_method(FineTuning, [0, 1, 2], {"start": 0.5}, **{"data.meta_per_class": 1})
    built.epoch = epoch
    built.update(replace(batch([1], X), meta=batch([0], X)), lr=1.0)
    return built.model.head.classifier.bias.detach()


def test_before_its_start_it_is_ordinary_training() -> None:
    assert_close(bias_after_a_step(1), tensor([-1 / 3, 2 / 3, -1 / 3]))


def test_from_its_start_on_it_learns_from_clean_images_alone() -> None:
    assert_close(bias_after_a_step(2), tensor([2 / 3, -1 / 3, -1 / 3]))


def test_targets_that_know_training_images_are_refused() -> None:
    with pytest.raises(Invalid, match=r"targets = .* FineTuning has targets of its own"):
        small_trial(method=Use(FineTuning), targets=Use(Smooth), **{"data.meta_per_class": 1})
