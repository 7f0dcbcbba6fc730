import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.trainables.small import FORMATS, small_trial
from trainables.data.cache import OFF, PAGE, Cache
from trainables.data.data import load
from trainables.data.loader import training_batches
from trainables.data.sources import cached as module
from trainables.data.sources import pixels
from trainables.data.sources.cached import RECORD, Cached, cached, contents_of, kept, remarks
from trainables.data.sources.image_files import Decoded, Fit
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.spec import DataSpec
from trainables.settings import Files, Invalid, Use
from trainables.storage.storage import Storage
from trainables.training.fit import fit
from trainables.training.site import Site

N, SIDE = 12, 10
ALL = torch.arange(N)
ROOM = Cache(size=10**7)


@pytest.fixture(autouse=True)
def nothing_is_left_to_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("trainables.data.cache.LEFT", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures of noise; image i is 11 + i wide and 20 high."""
    noise = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i in range(N):
        values = noise.integers(0, 256, (20, 11 + i, 3), np.uint8)
        Image.fromarray(values).save(tmp_path / f"images/{i:02}.png")
    return tmp_path / "images"


def decoded(folder: Path, fit: Fit = "crop", resize: int = SIDE) -> Decoded:
    names = sorted(path.name for path in folder.glob("*.png"))
    return Decoded(Files(folder, names, pixels.require_known, pixels.RULES), resize, fit)


def opened(images: Decoded, cache: Cache = ROOM) -> Cached:
    found = cached(images, cache)
    assert isinstance(found, Cached)
    return found


def file_of(images: Decoded, cache: Cache = ROOM) -> Path:
    assert cache.place
    return cache.place / contents_of(images).name


def damage(folder: Path) -> None:
    """No image can be decoded any more; those who have looked at them do not look again."""
    for path in folder.iterdir():
        path.write_bytes(b"gone")


@pytest.mark.parametrize("fit", ["crop", "squash", "whole"])
def test_what_is_decoded_once_is_read_by_all_to_the_bit(fit: Fit, folder: Path) -> None:
    right = decoded(folder, fit)
    expected = right[ALL]
    first, second = (opened(decoded(folder, fit)) for _ in range(2))
    assert first[ALL].equal(expected)
    damage(folder)
    for images in (first, second):  # the second had its file open while it was filled
        some = torch.tensor([7, 0, 7, 11])
        assert images[some].equal(expected[some])
    assert second.decoded.sizes[[0, 7, 11]].tolist() == [[20, 11], [20, 18], [20, 22]]
    assert right.sizes.tolist() == [[20, 11 + i] for i in range(N)]
    assert (second.decoded.shapes is not None) == (fit == "whole")


def test_squares_are_shared_where_their_pixels_are_the_same_and_only_there(folder: Path) -> None:
    same = {contents_of(decoded(folder, fit)).name for fit in ("squash", "whole")}
    other = {contents_of(decoded(folder)).name, contents_of(decoded(folder, resize=9)).name}
    assert len(same) == 1
    assert len(same | other) == 3
    shutil.copytree(folder, folder.parent / "copy")
    assert contents_of(decoded(folder.parent / "copy", "whole")).name in same
    first, second = folder / "00.png", folder / "01.png"
    first.write_bytes(second.read_bytes())
    assert contents_of(decoded(folder, "whole")).name not in same


@pytest.mark.parametrize("place", ["pixels", "record"])
def test_what_does_not_fit_its_checksum_is_decoded_anew(place: str, folder: Path) -> None:
    images = decoded(folder)
    expected, path, contents = images[ALL], file_of(images), contents_of(images)
    assert opened(images)[ALL].equal(expected)
    whole = path.read_bytes()
    at = {"pixels": contents.begin + 3 * contents.row + 5, "record": PAGE + 3 * RECORD.size}[place]
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert opened(images)[ALL].equal(expected)
    assert path.read_bytes() == whole


def test_a_record_without_its_pixels_is_no_image(folder: Path) -> None:
    images = decoded(folder)
    expected, path = images[ALL], file_of(images)
    opened(images)[ALL]
    begin = contents_of(images).begin
    path.write_bytes(path.read_bytes()[:begin] + bytes(path.stat().st_size - begin))
    assert opened(images)[ALL].equal(expected)


def test_what_has_no_room_is_decoded_each_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = decoded(folder)
    expected, contents = images[ALL], contents_of(images)
    small = Cache(size=contents.begin + 5 * contents.row)
    part = opened(images, small)
    path = file_of(images, small)
    why = f"7 of 12 images are decoded each time: {path} has no room"
    assert capsys.readouterr().out == f"{folder}: {why}\n"
    assert part[ALL].equal(expected)
    assert path.stat().st_size == contents.begin + 5 * contents.row
    damage(folder)
    assert part[ALL[:5]].equal(expected[:5])
    with pytest.raises(Invalid, match=f"^{folder}/05.png cannot be decoded"):
        part[ALL]


def test_a_cache_that_cannot_be_used_is_said_and_passed_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = decoded(folder)
    assert cached(images, Cache(size=0)) is images
    opened(images)
    file_of(images).write_bytes(b"something else")
    assert cached(images, ROOM) is images
    assert "decoded each time, without a cache: " in capsys.readouterr().out
    assert cached(images, Cache(folder / "00.png")) is images
    assert "decoded each time, without a cache: " in capsys.readouterr().out


def test_a_tensor_is_read_from_the_cache_too(folder: Path) -> None:
    images = kept(decoded(folder), ROOM)
    assert isinstance(images, Tensor)
    again = decoded(folder)
    held = opened(again)
    damage(folder)
    assert held[ALL].equal(images)


def test_what_a_crash_has_made_of_an_image_reaches_no_trial(folder: Path) -> None:
    path = folder / "03.png"
    path.write_bytes(path.read_bytes()[:-100])
    images = opened(decoded(folder))
    for _ in range(2):
        with pytest.raises(Invalid, match=f"^{path} cannot be decoded: must be a complete image"):
            images[ALL]


@pytest.fixture
def birds(tmp_path: Path, folder: Path) -> DataSpec:
    for part, names in (("train", ("a", "b")), ("test", ("a", "b"))):
        for name in names:
            shutil.copytree(folder, tmp_path / "birds" / part / name)
    counts = {"classes": 2, "images": 24, "test_images": 24}
    source = Use(ImageFolder, path=str(tmp_path / "birds"), side=8, resize=SIDE, **counts)
    return DataSpec(source=source, validation=0.25)


@pytest.mark.parametrize("resident", [True, False])
def test_the_trials_of_a_site_decode_their_images_once(
    resident: bool, birds: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESIDENT_BYTES", module.RESIDENT_BYTES if resident else 0)
    site, storage = Site(tmp_path, torch.device("cpu"), cache=ROOM), Storage(tmp_path / "storage")
    first = small_trial().but(data=birds).resolved(tmp_path, FORMATS)
    assert fit(first, storage, site).reason is None
    monkeypatch.setattr(pixels, "rgb", None)
    assert fit(first.but(seed=1), storage, site).reason is None
    assert "NoneType" in str(fit(first.but(seed=2), storage, replace(site, cache=OFF)).reason)


@pytest.mark.parametrize("resident", [True, False])
def test_batches_are_the_same_with_a_cache_and_without(
    resident: bool, birds: DataSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESIDENT_BYTES", module.RESIDENT_BYTES if resident else 0)
    cpu = torch.device("cpu")
    plain, filled, full = (
        load(birds, 0, Path(), cpu, cache) for cache in (Cache(size=0), ROOM, ROOM)
    )
    assert isinstance(full.train.images, Tensor if resident else Cached)
    for data in (filled, full):
        for one, other in zip(
            training_batches(plain, 5, [], 0, 0), training_batches(data, 5, [], 0, 0), strict=True
        ):
            assert one.x.equal(other.x)
            assert one.index.equal(other.index)


def test_the_remark_says_what_the_cache_takes_if_memory_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = decoded(folder, resize=100)  # 12 x 30,000 bytes
    assert remarks([images], ROOM) == []
    monkeypatch.setattr(module, "RESIDENT_BYTES", 0)
    what = f"{folder}: 24 images are 0.7 MB when decoded, and "
    two = [images, images]
    assert remarks(two, ROOM) == [f"{what}cached in {ROOM.place}"]
    half = f"{what}cached in {ROOM.place}, 50% of them, for which there is room"
    assert remarks(two, Cache(size=360_000)) == [half]
    assert remarks(two, Cache(size=0)) == [f"{what}decoded each time: nothing is cached"]
    assert not ROOM.place or not ROOM.place.exists()


def test_a_cache_without_room_to_speak_of_is_refused_if_it_was_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = decoded(folder, resize=100)
    monkeypatch.setattr(module, "RESIDENT_BYTES", 0)
    asked = Cache(tmp_path / "fast", 3000)
    with pytest.raises(Invalid) as error:
        remarks([images], asked)
    given = f"--cache-dir = {tmp_path}/fast, --cache-size = 0.0 MB: must have room for 0.0 MB, one "
    assert str(error.value).startswith(f"{given}of 100 images, has 0.0 MB; {folder}: 12 images are")


def test_a_file_of_other_images_is_refused_before_any_trial(folder: Path) -> None:
    images, other = decoded(folder), decoded(folder, resize=9)
    for each in (images, other):
        opened(each)
    shutil.copyfile(file_of(other), file_of(images))
    with pytest.raises(Invalid, match=f"^{file_of(images)} is of other images, or incomplete: "):
        remarks([images], ROOM)
