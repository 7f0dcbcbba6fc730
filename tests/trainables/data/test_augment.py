from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torchvision.transforms import functional

from trainables.chance import generator
from trainables.data.augment import Crop, Flip, centre, pad, windows

MODES = {"zero": "constant", "reflect": "reflect"}  # torchvision's words


def picture(*rows: list[int]) -> Tensor:
    """(1, 1, height, width)"""
    return torch.tensor(rows, dtype=torch.uint8)[None, None]


def noise(n: int, channels: int, height: int, width: int) -> Tensor:
    shape = (n, channels, height, width)
    return torch.randint(0, 256, shape, generator=generator(0, "noise")).to(torch.uint8)


def test_a_window_starts_at_its_corner() -> None:
    x = picture([1, 2, 3], [4, 5, 6], [7, 8, 9])
    assert_close(windows(x, torch.tensor([[0, 1]]), 2), picture([2, 3], [5, 6]))
    assert_close(windows(x, torch.tensor([[1, 0]]), 2), picture([4, 5], [7, 8]))


def test_zeros_surround_the_image() -> None:
    assert_close(pad(picture([1, 2]), 1, "zero"), picture([0] * 4, [0, 1, 2, 0], [0] * 4))


def test_a_reflection_leaves_the_edge_itself_out() -> None:
    x = picture([1, 2], [3, 4])
    expected = picture([4, 3, 4, 3], [2, 1, 2, 1], [4, 3, 4, 3], [2, 1, 2, 1])
    assert_close(pad(x, 1, "reflect"), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_padded_windows_are_those_of_torchvision(mode: str, layout: torch.memory_format) -> None:
    x = noise(6, 3, 7, 9).contiguous(memory_format=layout)
    corners = torch.tensor([[0, 0], [0, 9], [7, 0], [7, 9], [3, 4], [2, 7]])
    ours = windows(pad(x, 4, mode), corners, 8)
    for image, (top, left), mine in zip(x, corners.tolist(), ours, strict=True):
        padded = functional.pad(image, [4], padding_mode=MODES[mode])
        assert_close(mine, functional.crop(padded, top, left, 8, 8))


@pytest.mark.parametrize("mode", MODES)
def test_a_reflection_keeps_every_grey_value(mode: str) -> None:
    x = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert_close(centre(pad(x, 3, mode), 16), x)


def test_every_window_of_the_padded_image_is_drawn_equally_often() -> None:
    x = picture([1, 2, 3], [4, 5, 6], [7, 8, 9]).expand(9000, 1, 3, 3)
    cut = Crop(padding=1)(x, 3, generator(0, "test"))
    counts = Counter(tuple(window) for window in cut.flatten(1).tolist())
    padded = pad(x[:1], 1, "zero")
    corners = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    every = windows(padded.expand(9, 1, 5, 5), corners, 3).flatten(1).tolist()
    assert set(counts) == set(map(tuple, every))
    assert 850 < min(counts.values()) <= max(counts.values()) < 1150  # 1,000 expected, deviation 30


def test_a_crop_without_padding_cuts_the_side_from_a_larger_image() -> None:
    x = noise(50, 3, 6, 9)
    cut = Crop()(x, 5, generator(0, "test"))
    assert cut.shape == (50, 3, 5, 5)
    for image, mine in zip(x, cut, strict=True):
        places = [(top, left) for top in range(2) for left in range(5)]
        assert any(torch.equal(functional.crop(image, *p, 5, 5), mine) for p in places)


def test_a_crop_of_the_whole_image_changes_nothing() -> None:
    x = noise(5, 3, 4, 4)
    assert_close(Crop()(x, 4, generator(0, "test")), x)


def test_a_flip_mirrors_left_and_right() -> None:
    flipped = Flip(probability=1.0)(picture([1, 2, 3], [4, 5, 6]), 3, generator(0, "test"))
    assert_close(flipped, picture([3, 2, 1], [6, 5, 4]))


def test_a_flip_is_drawn_for_each_image() -> None:
    x = picture([1, 2]).expand(4000, 1, 1, 2)
    flipped = (Flip()(x, 2, generator(0, "test"))[:, 0, 0, 0] == 2).float()
    assert 0.45 < flipped.mean() < 0.55
    assert_close(Flip(probability=0.0)(x, 2, generator(0, "test")), x)


@pytest.mark.parametrize("change", [Crop(padding=2), Crop(padding=2, mode="reflect"), Flip()])
def test_the_same_chance_gives_the_same_images_and_the_originals_stay(change: Crop | Flip) -> None:
    x = noise(20, 3, 8, 8)
    before = x.clone()
    once, again = (change(x, 8, generator(0, "test", 3)) for _ in range(2))
    other = change(x, 8, generator(0, "test", 4))
    assert_close(once, again)
    assert not torch.equal(once, other)
    assert_close(x, before)
    assert once.dtype == torch.uint8


def test_the_centre_leaves_as_much_on_both_sides() -> None:
    x = noise(2, 3, 8, 6)
    assert_close(centre(x, 4), x[:, :, 2:6, 1:5])
    assert_close(centre(x, 4), functional.center_crop(x, [4]))
