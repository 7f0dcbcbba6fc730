import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.targets.one_hot import OneHot


def test_all_mass_is_on_the_label_whatever_the_model_says() -> None:
    targets = OneHot(small_task(classes=3))
    said = out([[9.0, 0.0, 0.0], [9.0, 0.0, 0.0]])
    assert_close(targets(batch([2, 0]), said), tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))


def test_a_class_without_images_in_the_batch_has_its_column() -> None:
    assert OneHot(small_task(classes=5))(batch([0]), out(torch.zeros(1, 5))).shape == (1, 5)
