"""MW-Net by hand: weights of images by their loss."""

from dataclasses import replace

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from trainables.data.data import Batch
from trainables.methods.mw_net import MWNet, weigh
from trainables.settings import Invalid, Use

META = {"data.meta_per_class": 1}


def test_weighted_losses_by_hand() -> None:
    losses, weights = tensor([1.0, 2.0, 4.0]), tensor([0.5, 0.0, 0.25])
    assert_close(weigh(losses, weights, normalised=False), tensor((0.5 + 1) / 3))
    assert_close(weigh(losses, weights, normalised=True), tensor((0.5 + 1) / 0.75))
    assert float(weigh(losses, torch.zeros(3), normalised=True)) == 0


def test_the_weight_is_the_sigmoid_of_a_net_of_the_loss() -> None:
    built = pixel_method(MWNet, [0, 1, 2], {"hidden": 1}, **META)
    with torch.no_grad():
        for weight, value in zip(built.net.parameters(), (2.0, -1.0, 3.0, 0.5), strict=True):
            weight.fill_(value)
    (weights,) = built.advise(torch.zeros(2, 4), tensor([1.0, 0.25]))
    # ReLU(2 * 1 - 1) * 3 + 0.5 = 3.5, and ReLU(2 * 0.25 - 1) * 3 + 0.5 = 0.5
    assert_close(weights, tensor([3.5, 0.5]).sigmoid())


def test_an_image_that_the_clean_one_speaks_for_weighs_more_after_a_step() -> None:
    """Two losses that differ; the image with label 1 contradicts the clean one with label 0."""
    built = pixel_method(MWNet, [0, 1, 2], {"lr": 0.01}, **META)
    with torch.no_grad():
        built.model.head.classifier.bias[0] = 1.0
    images = replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X))
    scores = built.model(images.x).scores
    losses = torch.nn.functional.cross_entropy(scores, images.y, reduction="none").detach()
    before = built.advise(torch.zeros(2, 4), losses)[0]
    built.update(images, lr=0.1)
    after = built.advise(torch.zeros(2, 4), losses)[0]
    assert after[0] - after[1] > before[0] - before[1]


def test_the_step_is_weighted_by_the_net_as_it_is_after_the_meta_step() -> None:
    built = pixel_method(MWNet, [0, 1, 2], {"lr": 1.0}, **META)
    images = replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X))
    losses = torch.full((2,), 3.0).log()
    first = built.advise(torch.zeros(2, 4), losses)[0]
    metrics = built.update(images, lr=0.1)
    second = built.advise(torch.zeros(2, 4), losses)[0]
    assert not torch.allclose(first, second, atol=0.1)
    assert_close(metrics["loss"], weigh(losses, second.detach(), normalised=False))


def test_without_a_meta_set_it_is_refused() -> None:
    with pytest.raises(Invalid, match=r"meta_per_class = None: must be a number .* MWNet learns"):
        small_trial(method=Use(MWNet))


@torch.no_grad()
def test_at_the_end_it_tells_the_weight_of_each_training_image() -> None:
    built = pixel_method(MWNet, [0, 1, 2], **META)

    def sweep() -> list[Batch]:
        return [batch([0, 1]), batch([2])]

    assert built.tables(sweep, last=False) == {}
    found = built.tables(sweep, last=True)["weights"]
    assert found["index"].tolist() == [0, 1, 2]
    assert_close(found["loss"], torch.full((3,), 3.0).log())
    assert_close(found["weight"], built.net(found["loss"][:, None])[:, 0])
