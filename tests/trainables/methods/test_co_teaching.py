"""Co-teaching by hand: what each net learns from, and how much is left out."""

import pytest
import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method
from trainables.methods.co_teaching import CoTeaching


@pytest.mark.parametrize(("epoch", "kept"), [(0, 10), (5, 8), (10, 6), (20, 6)])
def test_the_share_left_out_grows_with_the_epochs(epoch: int, kept: int) -> None:
    built = pixel_method(CoTeaching, [0, 1, 2], {"forget": 0.4, "ramp": 10})
    built.epoch = epoch
    assert built.kept(10) == kept


def test_one_image_at_least_is_learned_from() -> None:
    built = pixel_method(CoTeaching, [0, 1, 2], {"forget": 1.0, "ramp": 0})
    assert built.kept(10) == 1


def test_each_net_learns_from_what_the_other_finds_easiest() -> None:
    built = pixel_method(CoTeaching, [0, 1, 2], {"forget": 0.5, "ramp": 0})
    with torch.no_grad():
        built.peer.head.classifier.weight.zero_()
        built.model.head.classifier.bias.copy_(tensor([1.0, 0.0, 0.0]))  # finds label 0 easy
        built.peer.head.classifier.bias.copy_(tensor([0.0, 1.0, 0.0]))  # finds label 1 easy
        own = built.model.head.classifier.bias.clone()
    built.update(batch([0, 1], X.repeat(2, 1, 1, 1)), lr=1.0)
    p = own.softmax(0)
    learned = built.model.head.classifier.bias.detach() - own
    assert_close(learned, tensor([0.0, 1.0, 0.0]) - p)  # towards label 1
    of_peer = built.peer.head.classifier.bias.detach() - tensor([0.0, 1.0, 0.0])
    assert_close(of_peer, tensor([1.0, 0.0, 0.0]) - p[[1, 0, 2]])


def test_the_nets_start_from_other_weights_and_both_are_in_the_state() -> None:
    built = pixel_method(CoTeaching, [0, 1, 2])
    state = built.state_dict()
    assert {name.partition(".")[0] for name in state} >= {"model", "peer"}
    assert "peer_optimizer" in built.get_extra_state()
