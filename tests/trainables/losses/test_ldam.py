"""LDAM by hand, and against a slow transcription of its paper, gradients included."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tests.trainables.small import NAMES, batch, out, small_trial, tiny_task
from trainables.losses.ldam import LDAM, margins
from trainables.settings import Invalid, Use

COUNTS = [16, 1, 81]  # fourth roots 2, 1 and 3


def loss(counts: list[int], **settings: float) -> LDAM:
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    built: LDAM = Use(LDAM, **settings).build(tiny_task(small_trial(), NAMES[: len(counts)], y))
    return built


def test_margins_by_hand() -> None:
    assert_close(margins(torch.tensor(COUNTS), 0.6), torch.tensor([0.3, 0.6, 0.2]))


def test_a_class_without_images_has_the_largest_margin() -> None:
    assert_close(margins(torch.tensor([0, 1, 16]), 0.5), torch.tensor([0.5, 0.5, 0.25]))


def test_the_label_is_lowered_by_its_margin_and_all_are_scaled() -> None:
    built = loss(COUNTS, margin=0.6, scale=2)
    z = torch.tensor([[0.5, 0.2, -0.1]])
    lowered = [2 * 0.5, 2 * (0.2 - 0.6), 2 * -0.1]
    expected = -lowered[1] + math.log(sum(map(math.exp, lowered)))
    label = torch.nn.functional.one_hot(torch.tensor([1]), 3).float()
    assert_close(built(out(z), label, batch([1])), torch.tensor([expected]))


def slow(scores: Tensor, y: list[int], counts: list[int], margin: float, scale: float) -> Tensor:
    """Equation 13 with C chosen so that the largest margin is `margin`, image by image."""
    chosen = margin * min(counts) ** 0.25
    losses = []
    for z, label in zip(scores, y, strict=True):
        own = scale * (z[label] - chosen / counts[label] ** 0.25)
        others = [scale * z[k] for k in range(len(counts)) if k != label]
        total = own.exp() + sum(other.exp() for other in others)
        losses.append(-(own.exp() / total).log())
    return torch.stack(losses)


def test_it_and_its_gradient_are_those_of_a_slow_transcription() -> None:
    counts, y = [40, 7, 1, 3], [0, 2, 0, 1, 1]  # a class of one image; the batch lacks a class
    scores = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).tanh().double()
    ours, theirs = (scores.clone().requires_grad_() for _ in range(2))
    label = torch.nn.functional.one_hot(torch.tensor(y), 4).double()
    value = loss(counts).double()(out(ours), label, batch(y))
    expected = slow(theirs, y, counts, margin=0.5, scale=30)
    assert_close(value, expected, rtol=1e-5, atol=1e-6)
    value.sum().backward()
    expected.sum().backward()
    assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)


def test_without_margin_it_is_scaled_cross_entropy() -> None:
    z = torch.randn(4, 3)
    label = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 1]), 3).float()
    expected = torch.nn.functional.cross_entropy(5 * z, label, reduction="none")
    assert_close(loss(COUNTS, margin=0, scale=5)(out(z), label, batch([0, 1, 2, 1])), expected)


def test_a_scale_of_zero_is_refused() -> None:
    with pytest.raises(Invalid, match=r"LDAM.scale = 0.0: must lie in \(0, inf\)"):
        Use(LDAM, scale=0)
