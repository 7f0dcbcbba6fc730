"""Images named in lists: which are whose, and what is refused."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.data.sources.test_image_folder import picture
from trainables.data.sources.digits import Digits
from trainables.data.sources.image_lists import ImageLists, read, words
from trainables.settings import Invalid, Use

SETTINGS: dict[str, Any] = {
    "path": "mini",
    "lists": ("train.csv", "test.csv"),
    "side": 8,
    "resize": 10,
    "classes": 3,
    "per_class": 3,
    "test_per_class": 2,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of six images, in two lists that split the classes."""
    root = tmp_path / "mini"
    (root / "images").mkdir(parents=True)
    for name, labels in (("train.csv", "cb"), ("test.csv", "a")):
        lines = ["filename,label"]
        for label in labels:
            for i in range(6):
                picture(12, 12, seed=10 * ord(label) + i).save(root / "images" / f"{label}{i}.png")
                lines.append(f"{label}{i}.png,{label}")
        (root / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def source(**changes: object) -> ImageLists:
    built: ImageLists = Use(ImageLists, **{**SETTINGS, **changes}).build()
    return built


def checksums(folder: Path) -> object:
    return Use(ImageLists, **SETTINGS).resolved(folder).checksums


def refused(folder: Path, **changes: object) -> str:
    with pytest.raises(Invalid) as error:
        source(**changes).verify(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_of_each_class_the_first_are_trained_on_and_the_next_tested_on(folder: Path) -> None:
    mini = source()
    mini.verify(folder)
    assert mini.names(folder) == ("a", "b", "c")
    assert (mini.images, mini.test_images) == (9, 6)
    x, y = mini.load(folder, "train")
    test, test_y = mini.load(folder, "test")
    assert y.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert test_y.tolist() == [0, 0, 1, 1, 2, 2]
    pixels = [images[torch.arange(len(images))] for images in (x, test)]
    assert pixels[0].shape == (9, 3, 10, 10)
    images = {image.numpy().tobytes() for part in pixels for image in part}
    assert len(images) == 15


def test_lists_and_images_that_are_read_enter_the_checksum_and_no_other(folder: Path) -> None:
    before = checksums(folder)
    (folder / "mini/images/a5.png").unlink()  # the sixth of its class
    (folder / "mini/images/more.png").touch()
    assert checksums(folder) == before
    picture(12, 12, seed=999).save(folder / "mini/images/a4.png")
    changed = checksums(folder)
    assert changed != before
    lines = (folder / "mini/train.csv").read_text().splitlines()
    lines[1], lines[4] = lines[4], lines[1]  # a training image becomes a test image
    (folder / "mini/train.csv").write_text("\n".join(lines))
    os.utime(folder / "mini/train.csv", (0, 0))
    assert checksums(folder) != changed


def test_what_is_missing_is_named(folder: Path) -> None:
    assert "incomplete: 3 of 4 classes" in refused(folder, classes=4)
    assert "3 classes: must have 2" in refused(folder, classes=2)
    assert "incomplete: 6 of 7 images of class 'a'" in refused(folder, per_class=5)
    assert "none.csv is missing: a list of images" in refused(folder, lists=("none.csv",))
    (folder / "mini/images/b4.png").unlink()
    assert "images/b4.png is missing: a list names it" in refused(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line must be filename,label"),
        ("a0.png,a\n", "its first line must be filename,label"),
        ("filename,label\na0.png\n", "line 2: must be filename,label"),
        ("filename,label\na0.png,a\na0.png,b\n", "line 3: a0.png must be listed once"),
    ],
)
def test_a_list_in_another_form_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "mini/test.csv").write_text(text)
    assert message in refused(folder)


def test_settings_that_make_no_sense_are_refused_when_written() -> None:
    with pytest.raises(Invalid, match=r"ImageLists.resize = 4: must be at least side = 8"):
        source(resize=4)
    with pytest.raises(Invalid, match=r"ImageLists.lists = \(\): must name some lists"):
        source(lists=())


def test_its_demo_is_a_variant_of_the_digits() -> None:
    assert Use(ImageLists, **SETTINGS, turn=7).demo() == Use(Digits, turn=7)


def test_wordnet_ids_are_called_by_their_first_word(database: Path) -> None:
    assert words(("n01532829", "n02077923"), database.parent.parent) == ("house_finch", "sea_lion")
    with pytest.raises(Invalid, match=r"ImageLists\.names = wordnet: the class 'qqq' is"):
        words(("qqq",), database.parent.parent)


@pytest.mark.data
def test_the_real_list_of_mini_imagenet_is_read(archives: Path, tmp_path: Path) -> None:
    packed = archives / "mini-imagenet" / "ravi-train.csv.gz"
    (tmp_path / "train.csv").write_bytes(gzip.decompress(packed.read_bytes()))
    found = read(tmp_path, ("train.csv",))
    assert len(found) == 64
    assert {len(images) for images in found.values()} == {600}
