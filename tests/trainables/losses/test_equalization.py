"""Softmax equalization loss by hand."""

import pytest
import torch
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_trial, tiny_task
from trainables.losses.equalization import LEAST, Equalization, equalised, gompertz
from trainables.settings import Invalid, Use

Y = torch.tensor([0] * 6 + [1] * 3 + [2])  # shares 0.6, 0.3 and 0.1


def loss(threshold: float, chance: float) -> Equalization:
    task = tiny_task(small_trial(), ("a", "b", "c"), Y)
    return Equalization(task, threshold=threshold, chance=chance)


def test_equalised_softmax_by_hand() -> None:
    scores = torch.zeros(2, 3)
    scores[1] = torch.tensor([1.0, 2.0, 3.0]).log()
    left_out = torch.tensor([[1.0, 0.5, 0.75], [0.0, 0.5, 1.0]])
    found = equalised(scores, torch.eye(3)[[0, 2]], left_out)
    # 1 / (1 + 0.5 + 0.25), whatever is left out of the label; and 3 / (1 + 1 + 3)
    assert_close(found, torch.tensor([1.75, 5 / 3]).log())


def test_with_nothing_left_out_it_is_cross_entropy_and_with_all_nothing_but_the_least() -> None:
    scores, label = torch.randn(5, 4), torch.eye(4)[[0, 1, 2, 3, 0]]
    plain = torch.nn.functional.cross_entropy(scores, label, reduction="none")
    assert_close(equalised(scores, label, torch.zeros(5, 4)), plain)
    alone = equalised(torch.zeros(1, 4), torch.eye(4)[[1]], torch.ones(1, 4))
    assert_close(alone, torch.tensor([1 + 3 * LEAST]).log())


def test_rare_classes_leave_the_softmax_of_other_classes_images() -> None:
    z = torch.tensor([1.0, 2.0, 3.0]).log().repeat(3, 1)
    found = loss(0.4, 1.0)(out(z), torch.eye(3), batch([0, 1, 2]))
    # Of b and c the share is below 0.4: alone with a, with a and b, with a and c.
    expected = [(1 + 5 * LEAST) / 1, (3 + 3 * LEAST) / 2, (4 + 2 * LEAST) / 3]
    assert_close(found, torch.tensor(expected).log())


def test_without_rare_classes_or_without_chance_it_is_cross_entropy() -> None:
    z, label = torch.randn(3, 3), torch.eye(3)
    expected = torch.nn.functional.cross_entropy(z, label, reduction="none")
    for plain in (loss(0.05, 1.0), loss(0.9, 0.0)):
        assert_close(plain(out(z), label, batch([0, 1, 2])), expected)


def test_what_is_left_out_is_drawn_for_each_image_and_class() -> None:
    torch.manual_seed(0)
    found = loss(0.4, 0.5)(out(torch.zeros(400, 3)), torch.eye(3)[[0] * 400], batch([0] * 400))
    kept = found.exp().round().int() - 1  # of two rare classes
    assert torch.bincount(kept).tolist() == pytest.approx([100, 200, 100], abs=35)


def test_a_threshold_outside_the_shares_is_refused() -> None:
    with pytest.raises(Invalid, match=r"Equalization.threshold = 0"):
        Use(Equalization, threshold=0)


def test_the_smooth_function_falls_from_one_to_nothing() -> None:
    shares = torch.tensor([0.0, 1e-3, 1e-2])
    # exp(-3) * 80 is 3.98, and exp(-30) * 80 is nothing.
    assert_close(
        gompertz(shares, 80.0, 3000.0), torch.tensor([1.0, 0.98136, 0.0]), atol=1e-4, rtol=0
    )


def test_it_stands_in_the_place_of_the_step() -> None:
    task = tiny_task(small_trial(), ("a", "b", "c"), Y)
    smooth = Equalization(task, function="gompertz", shift=2.0, fall=5.0)
    assert_close(smooth.rare, gompertz(torch.tensor([0.6, 0.3, 0.1]), 2.0, 5.0))
