from typing import Any

import pytest

from tests.trainables.small import small_trial
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.distillation import Distillation
from trainables.losses.knowledge import KnowledgeLoss
from trainables.losses.pairwise_confusion import PairwiseConfusion
from trainables.losses.sce import SymmetricCrossEntropy
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
