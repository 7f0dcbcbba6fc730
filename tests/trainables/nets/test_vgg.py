from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torchvision.models import vgg16, vgg16_bn, vgg19_bn

from trainables.nets.vgg import VGG16, VGG19
from trainables.settings import Use
from trainables.task import Task


def task(side: int = 32, channels: int = 3) -> Task:
    parts = SimpleNamespace(channels=channels, side=side, classes=10, folder=Path("nowhere"))
    return cast(Task, parts)


@pytest.mark.parametrize(
    ("part", "batch_norm", "whole"),
    [(VGG16, False, vgg16), (VGG16, True, vgg16_bn), (VGG19, True, vgg19_bn)],
)
def test_it_computes_what_torchvisions_convolutions_compute(
    part: type[VGG16], batch_norm: bool, whole: type[nn.Module]
) -> None:
    torch.manual_seed(0)
    net, theirs = part(task(), batch_norm=batch_norm).eval(), whole().eval()
    weights = [w for name, w in theirs.state_dict().items() if name.startswith("features.")]
    net.load_state_dict(dict(zip(net.state_dict(), weights, strict=True)))
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert_close(net(x)[0], theirs.features(x).mean((2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("side", "sides"),
    [(32, [16, 8, 4, 2, 1]), (84, [42, 21, 10, 5, 2]), (8, [4, 2, 1, 1, 1])],
)
def test_each_stage_halves_the_side_but_for_one_pixel(side: int, sides: list[int]) -> None:
    net = Use(VGG16, width=1 / 16, batch_norm=True).build(task(side, 1))
    features, stages = net(torch.randn(2, 1, side, side))
    assert [stage.shape[2] for stage in stages] == sides
    assert features.shape == (2, net.features) == (2, 32)


@pytest.mark.parametrize("part", [VGG16, VGG19])
def test_demo_has_an_eighth_of_the_channels(part: type[VGG16]) -> None:
    assert Use(part).demo().build(task(8, 1)).features == 64


def test_convolutions_start_normal_by_their_output_channels_with_biases_of_0() -> None:
    torch.manual_seed(0)
    net = Use(VGG19, width=1 / 2).build(task())
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 16
    widest = convolutions[-1]  # of 256 channels, 9 places each: variance 2 / (9 * 256)
    assert float(widest.weight.detach().std()) == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.01)
    assert not any(convolution.bias.any() for convolution in convolutions)


def test_every_parameter_gets_a_gradient() -> None:
    net = Use(VGG16, width=1 / 8).build(task(8, 1))
    net(torch.randn(4, 1, 8, 8))[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
