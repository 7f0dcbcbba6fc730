"""What makes the images of a folder the same data, or other data."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.trainables.data.sources.birds import NAMES, identity, picture
from trainables.settings import Invalid


def test_the_images_not_their_place_identify_the_data(folder: Path) -> None:
    shutil.copytree(folder / "birds", folder / "copy")
    assert identity(folder, "copy") == identity(folder)


def test_what_is_not_read_is_no_part_of_the_identity(folder: Path) -> None:
    before = identity(folder)
    first = folder / "birds/train" / NAMES[0]
    for place in (folder / "birds", folder / "birds/train", first):
        for name in (".DS_Store", "Thumbs.db", "readme.txt", "._0.jpg"):
            (place / name).write_bytes(b"rubbish")
        (place / ".ipynb_checkpoints").mkdir()
    assert identity(folder) == before


def test_two_images_of_one_size_that_swap_their_pixels_are_other_data(folder: Path) -> None:
    one, other = (folder / "birds/train" / name / "bird.bmp" for name in NAMES[:2])
    picture(9, 9, seed=0).save(one)
    picture(9, 9, seed=1).save(other)
    before, content = identity(folder), one.read_bytes()
    assert one.stat().st_size == other.stat().st_size
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert identity(folder) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [("bird_0.png", "bird_9.png"), (NAMES[0], "000.Albatross"), ("bird_0.png", "more/bird_0.png")],
)
def test_another_name_of_an_image_or_a_class_is_other_data(
    old: str, new: str, folder: Path
) -> None:
    before = identity(folder)
    where = folder / "birds/train" / ("" if old in NAMES else NAMES[0])
    (where / new).parent.mkdir(exist_ok=True)
    (where / old).rename(where / new)
    assert identity(folder) != before


def test_an_image_more_or_less_is_other_data(folder: Path) -> None:
    before = identity(folder)
    (folder / "birds/test" / NAMES[2] / "bird_1.png").unlink()
    assert identity(folder) != before


def test_an_image_that_cannot_be_used_has_no_checksum(folder: Path) -> None:
    path = folder / "birds/test" / NAMES[2] / "bird_1.png"
    Image.new("F", (4, 4)).save(path, "TIFF")
    with pytest.raises(Invalid, match=f"^{path} has pixels of mode F"):
        identity(folder)


def test_a_file_that_cannot_be_read_has_no_checksum(folder: Path) -> None:
    path = folder / "birds/test" / NAMES[2] / "bird_1.png"
    path.unlink()
    path.symlink_to("/proc/self/mem")  # may be opened, but not read
    with pytest.raises(Invalid, match=f"^{path} cannot be read .*: must be readable$"):
        identity(folder)
