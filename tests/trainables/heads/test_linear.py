import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import small_task
from trainables.heads.linear import Linear


def test_a_logit_is_a_weighted_sum_of_the_features() -> None:
    head = Linear(small_task(classes=3), features=2)
    with torch.no_grad():
        head.classifier.weight.copy_(tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
        head.classifier.bias.copy_(tensor([0.0, 0.5, -1.0]))
    assert_close(head(tensor([[3.0, 4.0]])), tensor([[3.0, 8.5, 6.0]]))


def test_the_logits_are_the_scores() -> None:
    logits = torch.randn(2, 3)
    assert Linear(small_task(classes=3), features=2).scores(logits) is logits


def test_the_bias_may_start_where_every_class_has_its_share() -> None:
    bias = Linear(small_task(classes=5), 2, bias="prior").classifier.bias
    assert_close(torch.sigmoid(bias), torch.full((5,), 1 / 5))
