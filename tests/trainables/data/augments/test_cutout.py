from collections import Counter

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from trainables.data.augments.augment import Augment, Crop, Flip
from trainables.data.augments.cutout import Cutout, cut_out
from trainables.data.data import Data, Split
from trainables.data.loader import training_batches
from trainables.seeding import generator
from trainables.settings import Invalid, Use

ONES = torch.ones(1, 2, 4, 4)


def hidden(x: Tensor) -> list[list[int]]:
    """The pixels of an image that are zero in every channel: (row, column)."""
    return (x == 0).all(0).nonzero().tolist()


def test_a_square_of_an_even_side_reaches_one_pixel_further_up_and_left() -> None:
    cut = cut_out(ONES, tensor([[2, 1]]), 2)
    assert hidden(cut[0]) == [[1, 0], [1, 1], [2, 0], [2, 1]]


def test_a_square_of_an_odd_side_lies_about_its_middle() -> None:
    cut = cut_out(ONES, tensor([[1, 2]]), 3)
    assert hidden(cut[0]) == [[row, column] for row in (0, 1, 2) for column in (1, 2, 3)]


def test_what_lies_beyond_the_border_is_cut_off() -> None:
    cut = cut_out(ONES, tensor([[0, 3]]), 3)
    assert hidden(cut[0]) == [[0, 2], [0, 3], [1, 2], [1, 3]]


def test_every_image_has_a_square_of_its_own_and_the_originals_stay() -> None:
    x = ONES.repeat(2, 1, 1, 1)
    cut = cut_out(x, tensor([[0, 0], [3, 3]]), 1)
    assert [hidden(image) for image in cut] == [[[0, 0]], [[3, 3]]]
    assert (x == 1).all()


def test_every_pixel_is_the_middle_equally_often() -> None:
    cut = Cutout(side=1)(torch.ones(16_000, 1, 4, 4), 4, generator(0, "test"))
    counts = Counter(cut.flatten(1).argmin(1).tolist())
    assert len(counts) == 16
    assert 850 < min(counts.values()) <= max(counts.values()) < 1150  # 1,000 expected, deviation 31


def test_the_same_chance_hides_the_same_pixels() -> None:
    once, again = (Cutout(side=2)(ONES, 4, generator(0, "test", 1)) for _ in range(2))
    assert_close(once, again)
    others = [Cutout(side=2)(ONES, 4, generator(0, "test", i)) for i in range(8)]
    assert any(not torch.equal(once, other) for other in others)


def data() -> Data:
    images = torch.randint(1, 256, (40, 3, 8, 8), generator=generator(0, "noise")).to(torch.uint8)
    mean = tensor([99.5, 100.25, 101.0]).view(1, 3, 1, 1)  # no image has pixels of these values
    split = Split(images, torch.arange(40), torch.arange(40))
    return Data(("a",), 8, mean, torch.full_like(mean, 60), split, None, None)


@pytest.mark.parametrize("place", range(3))
def test_the_square_is_the_mean_and_the_rest_as_without_wherever_it_stands(place: int) -> None:
    plain: list[Augment] = [Crop(padding=2), Flip()]
    augment = [*plain[:place], Cutout(side=4), *plain[place:]]
    (before,) = training_batches(data(), 40, plain, 0, 0)
    (after,) = training_batches(data(), 40, augment, 0, 0)
    cut = after.x != before.x
    assert (after.x[cut] == 0).all()
    sizes = [len(hidden(image)) for image in after.x]
    assert min(sizes) >= 4  # the middle in a corner
    assert max(sizes) == 16


def test_it_is_a_quarter_on_digits() -> None:
    assert [Use(Cutout, side=side).demo()["side"] for side in (16, 8, 112)] == [4, 2, 4]


def test_a_square_has_a_side() -> None:
    with pytest.raises(Invalid, match=r"Cutout.side = 0: must lie in \[1, inf\)"):
        Use(Cutout, side=0)
