"""Advisors by hand: MFRW (equation 3), MES (equations 6 and 8), and both."""

from dataclasses import replace

import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method
from trainables.methods.advisor import Advisor, AdvisorNet

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
