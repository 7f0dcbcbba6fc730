"""Sigmoid focal loss by hand; CB focal against a slow transcription, gradients included."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tests.trainables.small import NAMES, batch, out, small_task, small_trial, tiny_task
from trainables.losses.reweighted import Reweighted
from trainables.losses.sigmoid_focal import SigmoidFocal
from trainables.settings import Invalid, Use


def test_by_hand_and_summed_over_the_classes() -> None:
    z = torch.tensor([[math.log(3), 0.0, -math.log(3)]])  # sigmoids 3/4, 1/2 and 1/4
    label = torch.tensor([[1.0, 0.0, 0.0]])
    expected = -(0.25**2 * math.log(0.75) + 0.5**2 * math.log(0.5) + 0.25**2 * math.log(0.75))
    built = SigmoidFocal(small_task(), gamma=2)
    assert_close(built(out(z), label, batch([0])), torch.tensor([expected]))


def test_with_gamma_0_it_is_binary_cross_entropy_of_scaled_scores() -> None:
    z, target = torch.randn(4, 3), torch.rand(4, 3)
    built = SigmoidFocal(small_task(), gamma=0, scale=5)
    sums = torch.nn.functional.binary_cross_entropy_with_logits(5 * z, target, reduction="none")
    assert_close(built(out(z), target, batch([0, 1, 2, 1])), sums.sum(1))


def slow(scores: Tensor, y: list[int], counts: list[int], gamma: float, beta: float) -> Tensor:
    """Class-balanced focal loss, image by image: section 3.3, equations 4 and 8."""
    weights = [(1 - beta) / (1 - beta**n) for n in counts]
    weights = [len(counts) * w / sum(weights) for w in weights]
    losses = []
    for z, label in zip(scores, y, strict=True):
        total = scores.new_zeros(())
        for k in range(len(counts)):
            q = torch.sigmoid(z[k] if k == label else -z[k])
            total = total - (1 - q) ** gamma * q.log()
        losses.append(weights[label] * total)
    return torch.stack(losses)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_cb_focal_and_its_gradient_are_those_of_a_slow_transcription(gamma: float) -> None:
    counts, y = [40, 7, 1, 3], [0, 2, 0, 1, 1]  # a class of one image; the batch lacks a class
    labels = torch.arange(4).repeat_interleave(torch.tensor(counts))
    use = Use(Reweighted, loss=Use(SigmoidFocal, gamma=gamma), rule="effective", beta=0.9999)
    built = use.build(tiny_task(small_trial(), NAMES[:4], labels)).double()
    scores = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()
    ours, theirs = (scores.clone().requires_grad_() for _ in range(2))
    label = torch.nn.functional.one_hot(torch.tensor(y), 4).double()
    value = built(out(ours), label, batch(y))
    expected = slow(theirs, y, counts, gamma, 0.9999)
    assert_close(value, expected, rtol=1e-5, atol=1e-6)
    value.sum().backward()
    expected.sum().backward()
    assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)


def test_sure_nets_have_finite_losses_and_gradients() -> None:
    z = torch.tensor([[300.0, -300.0, 300.0]], requires_grad=True)
    value = SigmoidFocal(small_task(), gamma=0.5)(out(z), torch.eye(3)[:1], batch([0]))
    value.sum().backward()
    assert value.tolist() == [300]
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_a_gamma_below_0_is_refused() -> None:
    with pytest.raises(Invalid, match=r"SigmoidFocal.gamma = -1.0: must lie in \[0, inf\)"):
        Use(SigmoidFocal, gamma=-1)
