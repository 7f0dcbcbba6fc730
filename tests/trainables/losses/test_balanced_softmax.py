"""Balanced softmax by hand."""

import torch
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_trial, tiny_task
from trainables.losses.balanced_softmax import BalancedSoftmax

NAMES = ("a", "b", "c")


def loss(y: list[int]) -> BalancedSoftmax:
    return BalancedSoftmax(tiny_task(small_trial(), NAMES, torch.tensor(y)))


def test_each_class_has_its_size_in_the_softmax() -> None:
    z = torch.tensor([[1.0, 2.0, 3.0]]).log()
    sized = loss([0, 0, 0, 1, 1, 2])  # 3, 2 and 1 images
    found = sized(out(z.repeat(2, 1)), torch.eye(3)[[0, 2]], batch([0, 2]))
    assert_close(found, -torch.tensor([3 / 10, 3 / 10]).log())  # of 3 * 1 + 2 * 2 + 1 * 3


def test_of_equal_classes_it_is_cross_entropy() -> None:
    z, label = torch.randn(4, 3), torch.eye(3)[[0, 1, 2, 1]]
    expected = torch.nn.functional.cross_entropy(z, label, reduction="none")
    assert_close(loss([0, 1, 2])(out(z), label, batch([0, 1, 2, 1])), expected)


def test_a_class_without_images_leaves_all_finite() -> None:
    z = torch.zeros(1, 3, requires_grad=True)
    found = loss([0, 1])(out(z), torch.eye(3)[[2]], batch([2]))
    found.sum().backward()
    assert found.isfinite().all()
    assert z.grad is not None
    assert z.grad.isfinite().all()
