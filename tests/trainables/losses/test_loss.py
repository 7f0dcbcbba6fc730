from math import log
from typing import Any

import pytest
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.distillation import Distillation
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.pairwise_confusion import PairwiseConfusion
from trainables.losses.sce import SymmetricCrossEntropy
from trainables.methods.method import Method
from trainables.settings import Invalid, Use
from trainables.targets.bootstrap import Boothard, Bootsoft
from trainables.targets.one_hot import OneHot
from trainables.targets.online import Online
from trainables.targets.online_single import OnlineSingle
from trainables.targets.smooth import Smooth

REVERSE, FORWARD = Use(KnowledgeLoss), Use(KnowledgeLoss, kl="forward")
ZERO = Use(Online, start="zero")

ZEROS = [
    Use(OneHot),
    Use(Smooth, epsilon=0),
    Use(Bootsoft, beta=1),
    Use(Boothard),
    Use(Online, alpha=1),
    Use(OnlineSingle, alpha=1),
]
POSITIVE = [Use(Smooth), Use(Bootsoft), Use(Online, alpha=0.9), Use(OnlineSingle)]


@pytest.mark.parametrize("targets", [*ZEROS, ZERO], ids=repr)
def test_reverse_divergence_is_refused_for_targets_with_zeros(targets: Use) -> None:
    with pytest.raises(Invalid) as error:
        small_trial(targets=targets, loss=REVERSE)
    valid = "must be distributions with some probability for every class, as Smooth"
    line = f"trial.targets = {targets!r}: {valid}: KnowledgeLoss() takes their logarithm"
    assert str(error.value) == line


@pytest.mark.parametrize("targets", POSITIVE, ids=repr)
def test_reverse_divergence_goes_with_targets_that_have_none(targets: Use) -> None:
    assert small_trial(targets=targets, loss=REVERSE).loss == REVERSE


@pytest.mark.parametrize("loss", [FORWARD, Use(Distillation), Use(SymmetricCrossEntropy)])
def test_other_logarithms_bear_zeros_but_no_sum_below_one(loss: Use) -> None:
    assert small_trial(loss=loss).targets == Use(OneHot)
    with pytest.raises(Invalid, match=r"Online\(start='zero'\): must be distributions, that sum"):
        small_trial(targets=ZERO, loss=loss)


@pytest.mark.parametrize("loss", [CrossEntropy, PairwiseConfusion])
def test_cross_entropy_goes_with_all(loss: type[Any]) -> None:
    for targets in (*ZEROS, *POSITIVE, ZERO):
        assert small_trial(targets=targets, loss=Use(loss)).targets == targets


def test_one_part_is_not_exchanged_for_another_that_does_not_go_with_the_rest() -> None:
    trial = small_trial(targets=Use(Smooth), loss=REVERSE)
    with pytest.raises(Invalid, match=r"trial.targets = OneHot\(\): must be"):
        trial.set({"targets": "OneHot"})
    assert trial.set({"targets": "OneHot", "loss": "CrossEntropy"}).loss == Use(CrossEntropy)


LOG = log(1 / 3)  # of each class, as the net says
MINUS_ENTROPY = 0.8 * log(0.8) + 0.2 * log(0.1)  # of the target (0.8, 0.1, 0.1)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (Use(CrossEntropy), -LOG),
        (Use(KnowledgeLoss, alpha=0), LOG - (log(0.8) + 2 * log(0.1)) / 3),
        (Use(KnowledgeLoss, alpha=0, kl="forward"), MINUS_ENTROPY - LOG),
        (Use(Distillation, alpha=1, temperature=1), MINUS_ENTROPY - LOG),
        (Use(SymmetricCrossEntropy, alpha=1, beta=0), -LOG),
        (Use(SymmetricCrossEntropy, alpha=0, beta=1), -(log(0.8) + 2 * log(0.1)) / 3),
        (Use(PairwiseConfusion), -LOG),
    ],
    ids=repr,
)
def test_the_model_gives_each_loss_the_target_in_the_form_that_it_takes(
    loss: Use, expected: float
) -> None:
    built = pixel_method(Method, [0, 1, 2], targets=Use(Smooth, epsilon=0.3), loss=loss)
    labels = batch([0], X)
    assert_close(built.model.objective(labels, built.model(X)), tensor([expected]))
