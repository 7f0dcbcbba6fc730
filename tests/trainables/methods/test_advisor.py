"""Advisors by hand: MFRW (equation 3), MES (equations 6 and 8), and both."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method
from trainables.data.data import Batch
from trainables.methods.advisor import Advisor, AdvisorNet, first_of_each

META = {"data.meta_per_class": 1}


def test_what_the_advisor_says_by_hand() -> None:
    net = AdvisorNet(features=2, classes=3, hidden=1)
    with torch.no_grad():
        for weight in net.parameters():
            weight.fill_(1.0)
    of_features, of_classes = net(tensor([[1.0, -3.0]]), tensor([0.5]))
    # ReLU(1 - 3 + 1) = 0 of the features, ReLU(0.5 + 1) = 1.5 of the loss; both heads add 1
    assert_close(of_features, tensor([[2.5, 2.5]]).sigmoid())
    assert_close(of_classes, tensor([[2.5, 2.5, 2.5]]).sigmoid())


def weighted(weighs: str, scores: list[float]) -> float:
    """The loss of a lit pixel with label 0, W_f = 0.5, and (0, 0.5, 1) of the classes left out."""
    built = pixel_method(Advisor, [0, 1, 2], {"weighs": weighs}, **META)
    with torch.no_grad():
        built.model.head.classifier.weight[:, 0] = tensor(scores)
    advice = torch.full((1, 4), 0.5), tensor([[0.0, 0.5, 1.0]])
    return float(built.weighted(X.flatten(1), tensor([0]), advice).detach())


def test_features_are_weighted_for_the_head_alone_softmax_in_the_loss_alone() -> None:
    scores = [0.0, 2.0, 4.0]
    half = torch.nn.functional.cross_entropy(tensor([[0.0, 1.0, 2.0]]), tensor([0]))
    assert_close(weighted("features", scores), float(half))
    assert_close(
        weighted("softmax", scores), float((1 + tensor(2.0).exp() / 2).log()), atol=1e-4, rtol=0
    )
    assert_close(
        weighted("both", scores), float((1 + tensor(1.0).exp() / 2).log()), atol=1e-4, rtol=0
    )


def test_classes_are_kept_where_none_is_drawn() -> None:
    built = pixel_method(Advisor, [0, 1, 2], {"chance": 0.0}, **META)
    built.begin(tensor([0, 1]))
    assert (built.advise(torch.zeros(2, 4), torch.zeros(2))[1] == 0).all()
    always = pixel_method(Advisor, [0, 1, 2], {"chance": 1.0}, **META)
    always.begin(tensor([0, 1]))
    assert (always.advise(torch.zeros(2, 4), torch.zeros(2))[1] > 0).all()


def test_predictions_are_those_of_the_unweighted_features() -> None:
    built = pixel_method(Advisor, [0, 1, 2], **META)
    images = replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X))
    built.update(images, lr=0.1)
    built.eval()
    assert_close(built.predict(X), built.model.head(X.flatten(1)))


def test_the_advisor_learns_by_adam_at_its_own_rate() -> None:
    built = pixel_method(Advisor, [0, 1, 2], {"lr": 0.01}, **META)
    with torch.no_grad():
        built.model.head.classifier.weight[0, 0] = 1.0
    before = [weight.clone() for weight in built.net.parameters()]
    images = replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X))
    built.update(images, lr=0.1)
    moved = [(a - b).abs() for a, b in zip(before, built.net.parameters(), strict=True)]
    # Adam's first step is its rate in each weight that has a gradient at all.
    changed = torch.cat([m[m > 1e-4] for m in moved])
    assert len(changed) > 100
    assert_close(changed, torch.full_like(changed, 0.01), atol=2e-3, rtol=0)


def swept(labels: list[int], x: torch.Tensor) -> Iterator[Batch]:
    yield batch(labels[:2], x[:2])
    yield replace(batch(labels[2:], x[2:]), index=torch.arange(2, len(labels)))


@torch.no_grad()
def test_it_tells_the_mean_weight_of_each_class_in_the_softmax_of_others() -> None:
    y = [0, 0, 0, 1, 1, 2]
    built = pixel_method(Advisor, y, {"weighs": "softmax"}, **META)
    x = torch.rand(6, 1, 2, 2)
    tables = built.tables(lambda: swept(y, x), last=False)
    assert list(tables) == ["softmax_weights"]
    assert built.tables(lambda: swept(y, x), last=True) == {}
    found = tables["softmax_weights"]
    losses = torch.full((6,), 3.0).log()  # weights are zero: a third each
    s = built.net(x.flatten(1), losses)[1]
    label = torch.eye(3)[y]
    expected = [float(s[label[:, k] == 0, k].mean()) for k in range(3)]
    assert_close(found["advisor"], 1 - tensor(expected))
    assert_close(found["images"], tensor([3.0, 2.0, 1.0]))
    assert (found["step"] == 1).all()  # no class is so rare
    assert (found["gompertz"] > 0.99).all()


def test_of_equal_classes_it_tells_no_softmax_weights() -> None:
    built = pixel_method(Advisor, [0, 1, 2], {"weighs": "softmax"}, **META)
    assert built.tables(lambda: swept([0, 1, 2], torch.zeros(3, 1, 2, 2)), last=False) == {}


@torch.no_grad()
def test_at_the_end_it_tells_the_weights_of_features_of_the_first_images_of_each_class() -> None:
    y = [0, 1, 2, 0, 1, 2]
    built = pixel_method(Advisor, y, {"weighs": "features"}, **META)
    x = torch.rand(6, 1, 2, 2)
    unswept = built.tables(lambda: pytest.fail("there is nothing to tell yet"), last=False)
    assert unswept == {}
    found = built.tables(lambda: swept(y, x), last=True)["feature_weights"]
    assert found["index"].tolist() == [0, 1, 2, 3, 4, 5]
    assert_close(found["w"], built.net(x.flatten(1), torch.full((6,), 3.0).log())[0])


def test_of_each_class_the_first_images_are_shown() -> None:
    assert first_of_each(tensor([1, 0, 1, 1, 0, 2]), 2).tolist() == [0, 1, 2, 4, 5]
