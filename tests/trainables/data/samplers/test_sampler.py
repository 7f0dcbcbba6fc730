"""The usual order of training images."""

import torch

from trainables.data.samplers.sampler import Shuffle
from trainables.seeding import generator


def test_shuffled_every_image_comes_once_and_in_another_order_each_time() -> None:
    y = torch.zeros(50, dtype=torch.long)
    one, other = (Shuffle()(y, 1, generator(0, "order", epoch)) for epoch in (0, 1))
    assert sorted(one.tolist()) == list(range(50)) == sorted(other.tolist())
    assert one.tolist() != other.tolist()
