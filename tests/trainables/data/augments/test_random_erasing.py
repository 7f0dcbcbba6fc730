"""Random erasing: its boxes, and what is filled."""

import pytest
import torch

from trainables.data.augments.random_erasing import RandomErasing, erasures, inside
from trainables.seeding import generator
from trainables.settings import Invalid, Use


def drawn(n: int = 4000, side: int = 32) -> torch.Tensor:
    return erasures(n, side, side, (0.02, 0.4), (0.3, 1 / 0.3), generator(0, "test"))


def test_boxes_lie_in_the_image_and_have_the_areas_and_aspects() -> None:
    top, left, tall, wide = drawn().unbind(1)
    assert ((top >= 0) & (left >= 0) & (top + tall <= 32) & (left + wide <= 32)).all()
    share, aspect = tall * wide / 32**2, tall / wide
    assert 0.015 < share.min() < 0.025  # sides are rounded
    assert 0.38 < share.max() < 0.43
    assert 0.2 < aspect.min() < 0.35
    assert 2.5 < aspect.max() < 4.5


def test_corners_reach_every_border() -> None:
    top, left, tall, wide = drawn().unbind(1)
    assert top.min() == left.min() == 0
    assert (top + tall).max() == (left + wide).max() == 32


def test_a_box_that_never_fits_is_empty() -> None:
    boxes = erasures(5, 8, 8, (1.0, 1.0), (1.0, 1.0), generator(0, "test"))
    assert not boxes[:, 2:].any()


def test_a_box_holds_its_pixels_by_hand() -> None:
    mask = inside(torch.tensor([[1, 0, 2, 1], [0, 0, 0, 0]]), 3, 2)
    assert mask[0, 0].nonzero().tolist() == [[1, 0], [2, 0]]
    assert not mask[1].any()


def test_about_half_the_images_are_erased_with_noise_and_the_originals_stay() -> None:
    x = torch.full((1000, 3, 8, 8), 7, dtype=torch.uint8)
    changed = RandomErasing()(x, 8, generator(0, "test"))
    assert changed.dtype == torch.uint8
    assert 0.42 < (changed != x).flatten(1).any(1).float().mean() < 0.58
    noise = changed[changed != 7].float()
    assert 120 < noise.mean() < 135
    assert (noise.min(), noise.max()) == (0, 255)
    assert (x == 7).all()


def test_filled_with_the_mean_it_is_zero_in_normalised_images() -> None:
    erasing = RandomErasing(probability=1.0, fill="mean")
    assert erasing.normalised
    assert not RandomErasing().normalised
    changed = erasing(torch.ones(50, 3, 8, 8), 8, generator(0, "test"))
    assert set(changed.unique().tolist()) == {0.0, 1.0}
    assert (changed == 0).all(1).flatten(1).any(1).all()


def test_the_same_chance_erases_the_same() -> None:
    x = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    once, again, other = (RandomErasing()(x, 8, generator(0, "test", i)) for i in (1, 1, 2))
    assert once.equal(again)
    assert not once.equal(other)


@pytest.mark.parametrize("name", ["area", "aspect"])
def test_ends_the_wrong_way_round_are_refused(name: str) -> None:
    with pytest.raises(Invalid, match=rf"RandomErasing.{name} = \(0.5, 0.1\): must have the lower"):
        Use(RandomErasing, **{name: (0.5, 0.1)})
