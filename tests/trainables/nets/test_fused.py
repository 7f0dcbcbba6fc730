"""Several nets as one emit, and learn, what each does alone."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from tests.trainables.nets.test_resnet import task
from trainables.nets.fused import Fused, tensors
from trainables.nets.net import Net
from trainables.nets.resnet import CifarResNet
from trainables.nets.resnext import ResNeXt29
from trainables.nets.torchvision_nets import MobileNetV2, ResNet18, ResNet50
from trainables.nets.vgg import VGG16
from trainables.settings import Invalid, Use

NETS = {
    "shortcut A": Use(CifarResNet, depth=8, width=4),
    "bottlenecks": Use(CifarResNet, depth=11, width=4, block="bottleneck", shortcut="B"),
    "groups": Use(ResNeXt29, cardinality=2, base_width=4, width=8),
    "without batch norm": Use(VGG16, width=0.0625),
    "VGG": Use(VGG16, width=0.0625, batch_norm=True),
    "basic blocks": Use(ResNet18, width=0.0625, depth=0.25),
    "pooling": Use(ResNet50, width=0.0625, depth=0.25),
    "depth-wise": Use(MobileNetV2, width=0.25, depth=0.25, dropout=0.0),
}
SIDES = {"pooling": 64}
CHANNELS_LAST = {"memory_format": torch.channels_last}


def built(name: str, count: int = 3) -> list[Net]:
    """In float64, each with weights of its own."""
    nets = []
    for seed in range(count):
        torch.manual_seed(seed)
        nets.append(NETS[name].build(task(SIDES.get(name, 16))).double().to(**CHANNELS_LAST))
    return nets


def images(name: str, seed: int, count: int = 3) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    side = SIDES.get(name, 16)
    return [torch.randn(4, 3, side, side, dtype=torch.float64) for _ in range(count)]


def goal(features: torch.Tensor, stages: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return features.square().sum() + sum(maps.sum() for maps in stages)


@pytest.mark.parametrize("name", NETS)
def test_it_emits_and_learns_what_each_net_does(name: str) -> None:
    """In training mode, with gradients, and after two steps in evaluation mode."""
    assert NETS[name].part.fuses(**dict(NETS[name].items))
    nets = built(name)
    alone = copy.deepcopy(nets)
    fused = Fused(nets)
    ours = torch.optim.SGD(fused.parameters(), lr=1e-3, momentum=0.9)
    theirs = [torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9) for net in alone]
    for seed in range(2):
        x = images(name, seed)
        emitted = fused(x)
        ours.zero_grad()
        torch.stack([goal(*own) for own in emitted]).sum().backward()
        ours.step()
        for net, own, optimizer, found in zip(alone, x, theirs, emitted, strict=True):
            expected = net(own)
            assert_close(found, expected)
            optimizer.zero_grad()
            goal(*expected).backward()
            optimizer.step()
    for net, expected_net in zip(nets, alone, strict=True):  # the nets' own tensors have changed
        assert_close(tensors(net), tensors(expected_net))
    fused.eval()
    for net, own, found in zip(alone, x, fused(x), strict=True):
        assert_close(found, net.eval()(own))


def test_a_net_is_a_view_until_another_takes_it_over() -> None:
    nets = built("shortcut A")
    first = Fused(nets)
    own, before, name = tensors(nets[1]), tensors(first), "stem.0.weight"
    memory = before[f"net.{name}"].untyped_storage().data_ptr()
    assert own[name].untyped_storage().data_ptr() == memory
    second = tensors(Fused(nets[1:]))
    nn.init.ones_(second[f"net.{name}"])
    assert own[name].min() == 1
    assert before[f"net.{name}"].min() != 1


def test_chance_of_a_net_cannot_be_shared() -> None:
    use = Use(MobileNetV2)
    assert not use.part.fuses(**dict(use.items))


def test_a_net_of_which_nothing_is_known_is_not_fused() -> None:
    assert not Net.fuses()


class Standardised(nn.Conv2d):
    """Not the convolution that a grouped one stands for."""


@pytest.mark.parametrize(
    "other", [Standardised(3, 4, 3), nn.GroupNorm(2, 4), nn.PReLU(), nn.Dropout(0.5)]
)
def test_a_layer_of_which_nothing_is_known_is_named(other: nn.Module) -> None:
    nets = built("shortcut A")
    for net in nets:
        net.other = copy.deepcopy(other)
    with pytest.raises(Invalid, match=f"^{type(other).__name__} cannot be fused$"):
        Fused(nets)


def test_weights_that_are_not_trained_stay() -> None:
    nets = built("shortcut A")
    for net in nets:
        net.stem.requires_grad_(False)
    fused = Fused(nets)
    assert {n for n, w in fused.net.named_parameters() if not w.requires_grad} == {
        *("stem.0.weight", "stem.1.weight", "stem.1.bias"),
    }
