"""The cosine head by hand."""

import torch
from torch.testing import assert_close

from tests.trainables.small import small_task
from trainables.heads.cosine import Cosine


def test_scores_are_cosines_whatever_the_lengths() -> None:
    head = Cosine(small_task(), 2, temperature=0.5)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 9.0], [-3.0, -4.0]]))
    output = head(torch.tensor([[30.0, 40.0]]))
    assert_close(output, torch.tensor([[0.6, 0.8, -1.0]]))
    assert_close(head.scores(output), torch.tensor([[1.2, 1.6, -2.0]]))


def test_weights_start_with_length_1_and_are_learned() -> None:
    head = Cosine(small_task(), 5)
    assert_close(head.weight.norm(dim=1), torch.ones(3))
    assert [name for name, _ in head.named_parameters()] == ["weight"]


def test_in_low_precision_cosines_are_exact_to_float32() -> None:
    head = Cosine(small_task(), 64)
    features = torch.randn(4, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = head(features)
    assert low.dtype == torch.float32
    assert_close(low, head(features))
