"""Whole images, distorted to squares when they are stored, beside what torchvision makes of them.

Tolerances are of pixels 0 .. 255, for pictures that are as smooth as photographs.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close
from torchvision.transforms import v2

from trainables.data.augments.augment import Augment, Crop, Flip, ResizedCrop, boxes
from trainables.data.augments.whole import middle, resized, scaled, stretched, window
from trainables.data.data import Data, load
from trainables.data.loader import evaluation_batches, training_batches
from trainables.data.sources import cached
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.spec import DataSpec
from trainables.seeding import generator
from trainables.settings import Use

STORED, SIDE = 64, 56
SIZES = [(94, 125), (125, 94), (94, 94), (64, 200)]  # height and width; a quarter of ImageNet's
SHAPES = torch.tensor(SIZES)
CLOSE, FAR = 1.5, 3.5  # mean differences, and where the image is three times as wide as high
TOLERANCES = [CLOSE, CLOSE, CLOSE, FAR]


def photograph(height: int, width: int, seed: int = 0) -> Image.Image:
    """Patches of a third of the height, on these some of half the size and contrast, and so on.

    And a little noise.
    """
    chance = generator(seed, "photograph")
    picture = torch.randint(-4, 5, (3, height, width), generator=chance).float() + 128
    for patches in (3, 6, 12, 24):
        coarse = torch.randint(-84, 85, (3, patches, patches * width // height), generator=chance)
        smooth = functional.interpolate(coarse[None].float(), (height, width), mode="bicubic")
        picture += smooth[0] * 3 / patches
    return v2.functional.to_pil_image(picture.clamp(0, 255).to(torch.uint8))


PICTURES = [photograph(*size) for size in SIZES]


def tensor(image: Image.Image) -> Tensor:
    return v2.functional.pil_to_tensor(image)


def squares(pictures: list[Image.Image] = PICTURES) -> Tensor:
    """As the sources store them."""
    return torch.stack([tensor(v2.functional.resize(p, [STORED, STORED])) for p in pictures])


def difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.float() - theirs.float()).abs().mean())


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), min_size=1, max_size=5))
def test_the_shorter_side_is_resized_as_in_torchvision(sizes: list[tuple[int, int]]) -> None:
    found = scaled(torch.tensor(sizes), 256).tolist()
    for (height, width), ours in zip(sizes, found, strict=True):
        theirs = v2.functional.resize(torch.empty(0, height, width), [256]).shape[1:]
        assert ours == list(theirs)


def test_a_box_lies_in_the_square_where_its_pixels_do() -> None:
    drawn = torch.tensor([[10, 20, 30, 40], [0, 0, 100, 50]])
    sizes = torch.tensor([[100, 200], [100, 50]])
    assert stretched(drawn, sizes, 50).tolist() == [[5, 5, 15, 10], [0, 0, 50, 50]]


def test_the_middle_is_what_torchvision_cuts_of_the_image() -> None:
    theirs = [
        v2.functional.center_crop(v2.functional.resize(p, [STORED]), [SIDE]) for p in PICTURES
    ]
    ours = middle(squares(), SHAPES, SIDE)
    for mine, their, tolerance in zip(ours, theirs, TOLERANCES, strict=True):
        assert difference(mine, tensor(their)) < tolerance
    square = 2  # is stored undistorted
    assert_close(ours[square], tensor(theirs[square]), rtol=0, atol=0)


def test_what_was_squashed_without_its_shape_is_another_image() -> None:
    theirs = v2.functional.center_crop(v2.functional.resize(PICTURES[0], [STORED]), [SIDE])
    squashed = v2.functional.center_crop(squares()[0], [SIDE])
    assert difference(squashed, tensor(theirs)) > 10


@pytest.mark.parametrize("seed", range(5))
def test_a_resized_box_is_what_torchvision_cuts_of_the_image(seed: int) -> None:
    drawn = boxes(SHAPES, (0.08, 1.0), (3 / 4, 4 / 3), generator(seed, "test"))
    ours = resized(squares(), stretched(drawn, SHAPES, STORED), SIDE)
    for picture, box, mine, tolerance in zip(
        PICTURES, drawn.tolist(), ours, TOLERANCES, strict=True
    ):
        theirs = v2.functional.resized_crop(picture, *box, [SIDE, SIDE])
        assert difference(mine, tensor(theirs)) < tolerance


def test_boxes_are_drawn_in_each_images_own_proportions() -> None:
    mixed = torch.tensor([[94, 125], [300, 40]]).repeat(2000, 1)
    drawn = boxes(mixed, (0.3, 0.3), (3 / 4, 4 / 3), generator(0, "test"))
    wide, long = drawn[::2], drawn[1::2]
    ratio = wide[:, 3] / wide[:, 2]
    assert 0.73 < ratio.min() < 0.77
    assert 1.3 < ratio.max() < 1.37
    assert (wide[:, 2] * wide[:, 3] / (94 * 125) - 0.3).abs().max() < 0.01
    assert (wide[:, :2] + wide[:, 2:] <= torch.tensor([94, 125])).all()
    assert {tuple(box) for box in long.tolist()} == {(123, 0, 53, 40)}  # the largest with 3 / 4


def test_a_window_is_what_torchvision_cuts_of_the_resized_image() -> None:
    sizes = scaled(SHAPES, STORED)
    corners = torch.tensor([[0, 0], [20, 8], [8, 3], [4, 140]])
    ours = window(squares(), corners, sizes, SIDE)
    for picture, corner, mine, tolerance in zip(
        PICTURES, corners.tolist(), ours, TOLERANCES, strict=True
    ):
        theirs = v2.functional.crop(v2.functional.resize(picture, [STORED]), *corner, SIDE, SIDE)
        assert difference(mine, tensor(theirs)) < tolerance


@pytest.mark.parametrize("mode", ["zero", "reflect"])
def test_a_padded_crop_is_one_of_torchvisions(mode: Any) -> None:
    x, shapes = squares(PICTURES[:1]).repeat(16, 1, 1, 1), SHAPES[:1].expand(16, 2)
    cut, left = Crop(padding=6, mode=mode).of_whole(x, shapes, SIDE, generator(0, "test"))
    padding = {"zero": "constant", "reflect": "reflect"}[mode]
    image = tensor(v2.functional.resize(PICTURES[0], [STORED]))
    padded = v2.functional.pad(image, [6], padding_mode=padding)
    every = padded.unfold(1, SIDE, 1).unfold(2, SIDE, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
    assert left is None
    places = set()
    for mine in cut:
        apart = (every.float() - mine.float()).abs().mean((1, 2, 3))
        assert apart.min() < CLOSE
        places.add(int(apart.argmin()))
    assert len(places) > 8


def test_what_does_not_cut_leaves_the_shapes_to_what_does() -> None:
    x = squares()
    flipped, shapes = Flip(probability=1.0).of_whole(x, SHAPES, SIDE, generator(0, "test"))
    assert shapes is SHAPES
    assert flipped.equal(x.flip(3))


class Corner(Augment):
    """The upper left corner: a user's own, which knows of no whole images."""

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        return x[:, :, :side, :side]


def test_what_cuts_without_a_rule_of_its_own_has_cut_the_square() -> None:
    x = squares()
    cut, shapes = Corner().of_whole(x, SHAPES, SIDE, generator(0, "test"))
    assert shapes is None
    assert cut.equal(x[:, :, :SIDE, :SIDE])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("train", "test"):
        for label, name in enumerate("ab"):
            (tmp_path / part / name).mkdir(parents=True)
            for i, size in enumerate(SIZES):
                photograph(*size, seed=10 * label + i).save(tmp_path / part / name / f"{i}.png")
    return tmp_path


def loaded(folder: Path, fit: str) -> Data:
    source = Use(ImageFolder, path=str(folder), side=SIDE, resize=STORED, fit=fit)
    return load(DataSpec(source=source, validation=0.0), 0, folder, torch.device("cpu"))


@pytest.mark.parametrize("on_demand", [True, False])
def test_evaluation_of_whole_images_is_about_that_of_cut_ones(
    on_demand: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "RESIDENT_BYTES", 0 if on_demand else cached.RESIDENT_BYTES)
    crop, whole = loaded(folder, "crop"), loaded(folder, "whole")
    assert whole.test is not None
    assert crop.test is not None
    assert crop.test.shapes is None
    for one, other in zip(
        evaluation_batches(crop, crop.test, 3),
        evaluation_batches(whole, whole.test, 3),
        strict=True,
    ):
        assert other.x.shape == (len(other.y), 3, SIDE, SIDE)
        assert difference(one.x * crop.std, other.x * whole.std) < FAR


def test_training_sees_whole_images_alike_in_memory_and_on_demand(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    augment: list[Augment] = [Flip(), ResizedCrop()]
    resident = loaded(folder, "whole")
    monkeypatch.setattr(cached, "RESIDENT_BYTES", 0)
    streamed, cut = loaded(folder, "whole"), loaded(folder, "crop")
    runs = (training_batches(data, 3, augment, 0, 0) for data in (resident, streamed, cut))
    for one, other, third in zip(*runs, strict=True):
        assert one.x.equal(other.x)
        assert one.y.equal(other.y)
        assert one.x.shape == (len(one.y), 3, SIDE, SIDE)
        assert not one.x.equal(third.x)


def test_a_part_of_a_batch_has_the_very_images_of_all_of_it(folder: Path) -> None:
    d, augment = loaded(folder, "whole"), [ResizedCrop(), Flip()]
    whole = next(training_batches(d, 4, augment, 0, 0))
    for part in (slice(0, 2), slice(2, 4)):
        batch = next(training_batches(d, 4, augment, 0, 0, rows=lambda n, part=part: part))
        assert batch.x.equal(whole.x[part])
        assert batch.images == 4
