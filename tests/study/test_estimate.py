"""What a trial costs."""

from pathlib import Path

import pytest
import torch

from study import estimate
from study.estimate import cost, task_without_data
from trainables.data.image_folder import ImageFolder
from trainables.methods.distortion import DistortionDistillation
from trainables.methods.method import Method
from trainables.settings import Use
from trainables.targets.knowledge import Knowledge
from trainables.train import Site
from trainables.trial import Trial

SITE = Site(Path("/nowhere"), torch.device("cpu"))


def test_the_cost_grows_with_epochs_and_images(trial: Trial) -> None:
    one = cost(trial, SITE)
    long = cost(trial.but(recipe=trial.recipe.but(epochs=300)), SITE)
    assert one.seconds > 0
    assert long.seconds > 10 * one.seconds  # a hundred times, but for the noise of a shared machine


def test_a_method_with_two_views_is_measured_with_two(trial: Trial) -> None:
    plain, twice = (
        cost(trial.but(method=Use(method)), SITE) for method in (Method, DistortionDistillation)
    )
    assert twice.mebibytes > plain.mebibytes


def test_memory_is_counted_and_not_measured(trial: Trial) -> None:
    assert cost(trial, SITE).mebibytes == cost(trial, SITE).mebibytes
    wide = trial.but(net=trial.net.but(width=16))
    assert cost(wide, SITE).mebibytes > 2 * cost(trial, SITE).mebibytes


def test_large_batches_are_scaled_from_small_ones(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = cost(trial, SITE).mebibytes
    monkeypatch.setattr(estimate, "PIXELS", 8 * 64)  # eight images of 8 x 8
    assert cost(trial, SITE).mebibytes == pytest.approx(whole, rel=0.1)


def test_the_task_has_the_numbers_of_the_real_one(trial: Trial) -> None:
    task = task_without_data(trial, SITE)
    assert task.counts.tolist() == [4] * 10  # train_per_class
    assert task.steps == 3  # 40 images in batches of 16
    assert task.names[:2] == ("zero", "one")


def test_without_data_and_hierarchy_the_cost_is_told_all_the_same(trial: Trial) -> None:
    folder = Use(ImageFolder, path="none", side=8, resize=8, classes=7, images=70, test_images=14)
    lacking = trial.but(
        data=trial.data.but(source=folder, train_per_class=None), targets=Use(Knowledge)
    )
    assert cost(lacking, SITE).seconds > 0
    assert task_without_data(lacking, SITE).names[6] == "class 6"
