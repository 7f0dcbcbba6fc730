import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, out, small_task
from trainables.settings import Invalid, Use
from trainables.targets.disturb import Disturb, disturbed


@pytest.mark.parametrize("rate", [0.1, 0.6, 1.0])
def test_a_label_stays_or_becomes_each_other_with_the_probabilities_of_the_paper(
    rate: float,
) -> None:
    torch.manual_seed(0)
    images, classes = 40_000, 4
    drawn = disturbed(torch.full((images,), 2), classes, rate)
    shares = torch.bincount(drawn, minlength=classes) / images
    expected = torch.full((classes,), rate / classes)
    expected[2] = 1 - rate * (classes - 1) / classes
    assert_close(shares, expected, atol=0.01, rtol=0)


def test_without_rate_no_label_changes() -> None:
    assert disturbed(torch.arange(5), 5, 0.0).tolist() == [0, 1, 2, 3, 4]


@given(st.integers(2, 20), st.floats(0, 1), st.integers(0, 1000))
@settings(deadline=None, max_examples=50)
def test_what_comes_out_are_labels(classes: int, rate: float, seed: int) -> None:
    torch.manual_seed(seed)
    drawn = disturbed(torch.arange(classes), classes, rate)
    assert drawn.dtype == torch.int64
    assert ((drawn >= 0) & (drawn < classes)).all()


def test_the_target_has_all_mass_on_one_class_drawn_anew_each_time() -> None:
    targets = Disturb(small_task(), rate=0.5)
    torch.manual_seed(0)
    first, second = (targets(batch([0, 1, 2] * 10), out(torch.zeros(30, 3))) for _ in range(2))
    assert_close(first.sum(1), torch.ones(30))
    assert first.unique().tolist() == [0, 1]
    assert not first.equal(second)


def test_the_labels_of_the_batch_stay_as_they_are() -> None:
    labels = batch([0, 1, 2])
    Disturb(small_task(), rate=1.0)(labels, out(torch.zeros(3, 3)))
    assert labels.y.equal(tensor([0, 1, 2]))


def test_the_rate_is_a_share() -> None:
    with pytest.raises(Invalid, match=r"Disturb.rate = 2.0: must lie in \[0, 1\]"):
        Use(Disturb, rate=2)
