from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from torchvision.transforms import RandomResizedCrop, functional

from trainables.data.augments.augment import (
    Augment,
    Crop,
    Flip,
    ResizedCrop,
    boxes,
    centre,
    largest,
    pad,
    windows,
)
from trainables.data.augments.whole import resized
from trainables.seeding import generator
from trainables.settings import Invalid, Use

MODES = {"zero": "constant", "reflect": "reflect"}  # torchvision's words


def picture(*rows: list[int]) -> Tensor:
    """(1, 1, height, width)"""
    return torch.tensor(rows, dtype=torch.uint8)[None, None]


def noise(n: int, channels: int, height: int, width: int) -> Tensor:
    shape = (n, channels, height, width)
    return torch.randint(0, 256, shape, generator=generator(0, "noise")).to(torch.uint8)


def of(n: int, height: int, width: int) -> Tensor:
    """The sizes of n images, (n, 2)."""
    return torch.tensor([[height, width]]).expand(n, 2)


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


def test_a_box_is_resized_bilinearly_and_sees_nothing_beside_itself() -> None:
    # The middle 2 x 2 pixels to 4 x 4: new pixels lie a quarter and three quarters between old.
    x = picture([255] * 4, [255, 0, 100, 255], [255, 20, 200, 255], [255] * 4)
    expected = picture([0, 25, 75, 100], [5, 35, 95, 125], [15, 55, 135, 175], [20, 65, 155, 200])
    assert_close(resized(x, torch.tensor([[1, 1, 2, 2]]), 4), expected)


def test_every_image_has_its_own_box() -> None:
    x = torch.cat([picture([1, 2], [3, 4]), picture([5, 6], [7, 8])])
    cut = resized(x, torch.tensor([[0, 1, 1, 1], [1, 0, 1, 2]]), 2)
    assert_close(cut, torch.cat([picture([2, 2], [2, 2]), picture([7, 8], [7, 8])]))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_resized_boxes_are_those_of_torchvision(layout: torch.memory_format) -> None:
    x = noise(5, 3, 20, 30).contiguous(memory_format=layout)
    drawn = torch.tensor(
        [[0, 0, 20, 30], [3, 7, 9, 4], [19, 29, 1, 1], [0, 25, 20, 5], [2, 1, 8, 8]]
    )
    ours = resized(x, drawn, 8)
    for image, box, mine in zip(x, drawn.tolist(), ours, strict=True):
        theirs = functional.resized_crop(image, *box, [8, 8], antialias=False)
        assert_close(mine, theirs, rtol=0, atol=1)  # a half may be rounded either way


@given(st.integers(0, 99), st.integers(8, 20), st.integers(8, 20), st.integers(1, 12))
def test_a_resized_crop_keeps_to_the_range_of_its_image(
    seed: int, height: int, width: int, side: int
) -> None:
    x = noise(6, 2, height, width)
    cut = ResizedCrop()(x, side, generator(seed, "test"))
    assert cut.shape == (6, 2, side, side)
    for image, mine in zip(x.flatten(2), cut.flatten(2), strict=True):
        assert (image.amin(1) <= mine.amin(1)).all()
        assert (mine.amax(1) <= image.amax(1)).all()


@pytest.mark.parametrize("side", [7, 224, 256])
def test_a_box_of_the_whole_image_changes_nothing_at_the_same_size(side: int) -> None:
    x = noise(3, 3, side, side)
    whole = ResizedCrop(scale=(1, 1), ratio=(1, 1))
    assert torch.equal(whole(x, side, generator(0, "test")), x)


def test_a_box_has_the_share_and_the_ratio_that_are_asked_for() -> None:
    chance = generator(0, "test")
    # Half of 20 x 10 pixels, twice as high as wide or the reverse of it: 14 x 7 or 7 x 14.
    drawn = boxes(of(99, 20, 10), (0.5, 0.5), (0.5, 0.5), chance)
    assert {*map(tuple, drawn[:, 2:].tolist())} == {(14, 7)}
    drawn = boxes(of(99, 10, 20), (0.5, 0.5), (2, 2), chance)
    assert {*map(tuple, drawn[:, 2:].tolist())} == {(7, 14)}
    assert {*drawn[:, 0].tolist()} == set(range(10 - 7 + 1))  # every place, and no other
    assert {*drawn[:, 1].tolist()} == set(range(20 - 14 + 1))


@pytest.mark.parametrize(
    ("height", "width", "ratio", "box"),
    [
        (30, 10, (0.75, 4 / 3), (8, 0, 13, 10)),  # 10 / 0.75 = 13.3 high
        (10, 30, (0.75, 4 / 3), (0, 8, 10, 13)),
        (12, 10, (0.75, 4 / 3), (0, 0, 12, 10)),  # its own ratio is one of them: the whole image
    ],
)
def test_where_no_box_fits_it_is_the_largest_in_the_middle(
    height: int, width: int, ratio: tuple[float, float], box: tuple[int, ...]
) -> None:
    assert largest(of(1, height, width), ratio).tolist() == [list(box)]
    x = torch.empty(1, height, width)
    never = [10.0 * height * width] * 2  # in scale: torchvision finds none that fits, either
    assert RandomResizedCrop.get_params(x, never, list(ratio)) == box
    drawn = boxes(of(5, height, width), (never[0], never[1]), ratio, generator(0, "test"))
    assert drawn.tolist() == [list(box)] * 5


def test_boxes_are_spread_as_torchvisions_are() -> None:
    n, height, width = 4000, 24, 32
    scale, ratio = (0.08, 1.0), (1 / 8, 3.0)
    ours = boxes(of(n, height, width), scale, ratio, generator(0, "test")).double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        image = torch.empty(1, height, width)
        drawn = [RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(n)]
    theirs = torch.tensor(drawn).double()
    assert_close(ours.mean(0), theirs.mean(0), rtol=0.05, atol=0)
    assert_close(ours.std(0), theirs.std(0), rtol=0.05, atol=0)


@pytest.mark.parametrize("name", ["scale", "ratio"])
def test_a_range_that_ends_before_it_begins_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match=rf"ResizedCrop.{name} = \(0.9, 0.5\): must have"):
        Use(ResizedCrop, **{name: (0.9, 0.5)})


@pytest.mark.parametrize(
    "change", [Crop(padding=2), Crop(padding=2, mode="reflect"), ResizedCrop(), Flip()]
)
def test_the_same_chance_gives_the_same_images_and_the_originals_stay(change: Augment) -> None:
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
