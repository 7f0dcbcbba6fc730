"""The head's labels as targets."""

import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import NOWHERE, batch, out, small_trial, tiny_task
from trainables.heads.label_decoder import LabelDecoder
from trainables.labels.matrices.label_matrices import made
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.losses.huber import Huber
from trainables.settings import Use
from trainables.targets.label_matrix import LabelMatrix

LABELS = Use(UniformMatrices, shape=(16, 16))
NAMES = ("a", "b", "c")


def targets(**settings: object) -> LabelMatrix:
    head = Use(LabelDecoder, labels=LABELS, **settings)
    trial = small_trial(head=head, targets=Use(LabelMatrix), loss=Use(Huber))
    return LabelMatrix(tiny_task(trial, NAMES, tensor([0, 1, 2])))


def test_the_target_is_the_matrix_of_the_label() -> None:
    labels = made(LABELS, NAMES, NOWHERE, 0)
    found = targets()(batch([2, 0]), out(torch.zeros(2, 3)))
    assert_close(found, labels[[2, 0]], rtol=0, atol=0)


def test_it_is_standardised_where_the_head_says_so() -> None:
    labels = made(LABELS, NAMES, NOWHERE, 0)
    found = targets(standardised=True)(batch([0, 1, 2]), out(torch.zeros(3, 3)))
    assert_close(found, (labels - labels.mean()) / labels.std(correction=0))


def test_it_is_what_the_head_measures_distances_to() -> None:
    built = targets(standardised=True)
    head = built.task.parts.head.build(built.task, 4)
    assert torch.equal(head.matrices, built.matrices)
    assert built.state_dict() == {}
