from pathlib import Path

import pytest
import torch
from torch.testing import assert_close
from torchvision import models

from tests.trainables.nets.test_torchvision_nets import task, without_classifier
from trainables.nets.torchvision_nets import ResNet10
from trainables.settings import Invalid, Use


def test_resnet10_is_torchvisions_resnet_with_one_block_a_stage() -> None:
    original = models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1]).eval()
    built = ResNet10(task()).eval()
    built.load_state_dict(ResNet10.trunk(original.state_dict()))
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert_close(built(x)[0], without_classifier(original)(x))


def test_resnet10_has_no_weights_and_learns_from_small_digits() -> None:
    with pytest.raises(Invalid, match=r"^ResNet10.weights = 'imagenet': must be one of none$"):
        Use(ResNet10, weights="imagenet")
    assert Use(ResNet10).files(Path()) == {}
    demo = Use(ResNet10).demo()
    assert demo == Use(ResNet10, width=1 / 8, depth=1 / 4)
    demo.build(task(8, channels=1))(torch.randn(4, 1, 8, 8))[0].sum().backward()
