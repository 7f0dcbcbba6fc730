"""Huber loss by hand, and what it goes with."""

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import batch, small_task, small_trial
from trainables.heads.label_decoder import LabelDecoder
from trainables.heads.linear import Linear
from trainables.losses.cross_entropy import CrossEntropy
from trainables.losses.huber import Huber, huber
from trainables.losses.reweighted import Reweighted
from trainables.losses.self_paced import SelfPaced
from trainables.settings import Invalid, Use
from trainables.targets.label_matrix import LabelMatrix
from trainables.task import Out

PARTS = {"head": Use(LabelDecoder), "targets": Use(LabelMatrix), "loss": Use(Huber)}


def test_it_is_half_the_square_below_beta_and_linear_above_by_hand() -> None:
    output = tensor([[0.5, 3.0], [0.0, -1.0]])
    # 1/2 * 0.25 and 3 - 1/2; 0 and 1 - 1/2.
    assert_close(huber(output, torch.zeros(2, 2), beta=1), tensor([1.3125, 0.25]))
    # 0.25 / 4 and 3 - 1; 0 and 1 / 4.
    assert_close(huber(output, torch.zeros(2, 2), beta=2), tensor([1.03125, 0.125]))


def test_it_is_the_mean_over_all_elements_of_a_matrix() -> None:
    output = tensor([[[2.0, 0.0], [0.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]]])
    assert_close(huber(output, torch.zeros(2, 2, 2), beta=1), tensor([1.5 / 4, 1.5]))


def test_the_loss_is_of_the_output_and_not_of_the_scores() -> None:
    said = Out(torch.zeros(1, 3), tensor([[5.0, 5.0]]), torch.zeros(1, 3), ())
    loss = Huber(small_task(), beta=2.0)
    assert_close(loss(said, tensor([[0.0, 6.0]]), batch([0])), tensor([(4 + 0.25) / 2]))


def test_labels_their_decoder_and_the_loss_go_together() -> None:
    assert small_trial(**PARTS).loss == Use(Huber)
    weighted = Use(Reweighted, loss=Use(Huber))
    assert small_trial(**(PARTS | {"loss": weighted})).targets == Use(LabelMatrix)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"targets": "OneHot"},
            "trial.targets = OneHot(): must be arrays as the head emits, as LabelMatrix: Huber() "
            "compares them with its output",
        ),
        (
            {"loss": "CrossEntropy"},
            "trial.targets = LabelMatrix(): must be shares of the classes, as OneHot: "
            "CrossEntropy() takes such",
        ),
        (
            {"loss": "KnowledgeLoss"},
            "trial.targets = LabelMatrix(): must be distributions with some probability for every "
            "class, as Smooth: KnowledgeLoss() takes their logarithm",
        ),
        (
            {"head": "Linear"},
            "trial.head = Linear(): must be one that emits labels, as LabelDecoder: LabelMatrix() "
            "has its labels",
        ),
        (
            {"method": "CoTeaching"},
            "trial.targets = LabelMatrix(): must be OneHot: CoTeaching has targets of its own",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(
    changes: dict[str, str], line: str
) -> None:
    trial = small_trial(**PARTS)
    with pytest.raises(Invalid) as error:
        trial.set(changes)
    assert str(error.value) == line


def test_the_decoder_goes_with_categories_too_by_its_scores() -> None:
    trial = small_trial(head=Use(LabelDecoder), loss=Use(CrossEntropy))
    assert trial.but(head=Use(Linear)).head == Use(Linear)


def test_a_curriculum_that_asks_for_the_loss_to_a_label_refuses_it() -> None:
    with pytest.raises(Invalid, match=r"SelfPaced.loss = Huber\(\): must be one that is finite"):
        Use(SelfPaced, loss=Use(Huber))
