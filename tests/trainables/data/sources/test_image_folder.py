import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torchvision import datasets
from torchvision.transforms import v2

from tests.trainables.data.sources.birds import NAMES, SETTINGS, identity, picture, refused, source
from trainables.data.augments.augment import Augment, Crop, Flip
from trainables.data.data import load
from trainables.data.loader import training_batches
from trainables.data.sources import cached
from trainables.data.sources.digits import Digits
from trainables.data.sources.image_files import Decoded
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.spec import DataSpec
from trainables.settings import Files, Invalid, Use


def loaded(folder: Path, part: str, **changes: object) -> tuple[Tensor, Tensor]:
    images, y = source(**changes).load(folder, part)
    return images[torch.arange(len(images))], y


def test_classes_are_the_folders_in_their_order(folder: Path) -> None:
    source().verify(folder)
    assert source().names(folder) == NAMES
    x, y = loaded(folder, "train")
    assert x.shape == (12, 3, 10, 10)
    assert x.dtype == torch.uint8
    assert y.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert loaded(folder, "test")[1].tolist() == [0, 0, 1, 1, 2, 2]


def test_test_images_may_lie_in_val(folder: Path) -> None:
    (folder / "birds/test").rename(folder / "birds/val")
    source().verify(folder)
    assert len(loaded(folder, "test")[0]) == 6


def test_an_absolute_path_needs_no_data_folder(folder: Path) -> None:
    source(path=str(folder / "birds")).verify(Path("/nowhere"))


@pytest.mark.parametrize("size", [(20, 30), (31, 17), (10, 10), (4, 7)])
@pytest.mark.parametrize(
    ("fit", "theirs"),
    [
        ("crop", v2.Compose([v2.Resize(10), v2.CenterCrop(10)])),
        ("squash", v2.Resize((10, 10))),
        ("whole", v2.Resize((10, 10))),
    ],
)
def test_images_are_squared_as_torchvision_does(
    size: tuple[int, int], fit: Any, theirs: v2.Transform, tmp_path: Path
) -> None:
    image = picture(*size, seed=0)
    image.save(tmp_path / "a.png")
    ours = Decoded(Files(tmp_path, ["a.png"]), 10, fit)[torch.tensor([0])]
    assert_close(ours[0], v2.functional.pil_to_tensor(theirs(image)))


def counted(folder: Path, **changes: object) -> Use:
    given = {name: SETTINGS[name] for name in ("path", "side", "resize")}
    return ImageFolder.counted(Use(ImageFolder, **given, **changes), folder)


def test_numbers_that_are_not_given_are_counted(folder: Path) -> None:
    assert counted(folder) == counted(folder, images=12) == Use(ImageFolder, **SETTINGS)
    assert ImageFolder.counted(Use(ImageFolder, **SETTINGS), Path("/nowhere"))["images"] == 12


def test_a_number_that_is_given_is_held_against_the_folder(folder: Path) -> None:
    with pytest.raises(Invalid, match="train is incomplete: 12 of 13 images"):
        counted(folder, images=13)


def test_one_class_is_none_to_tell_apart(folder: Path) -> None:
    for part in ("train", "test"):
        for name in NAMES[1:]:
            shutil.rmtree(folder / "birds" / part / name)
    with pytest.raises(Invalid, match=rf"birds/train has one class, {NAMES[0]}: must have a"):
        counted(folder)


def test_labels_are_known_without_a_look_at_the_images(folder: Path) -> None:
    (folder / "birds/train" / NAMES[0] / "bird_0.png").write_text("no image")
    assert source().labels_of(folder, "train").tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_a_missing_folder_is_named_with_the_nearest(folder: Path) -> None:
    said = refused(folder, path="brids")
    assert said.startswith(
        f"{folder}/brids is missing, the nearest there is birds: must have train/"
    )
    assert refused(folder, path="xyz").startswith(f"{folder}/xyz/train is missing: ")


def test_images_come_in_the_order_that_is_asked_for(folder: Path) -> None:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    images = Decoded(Files(folder, names), 10, "crop")
    assert len(images) == 18
    index = torch.tensor([7, 0, 7, 17])
    assert_close(images[index], images[torch.arange(18)][index])


def test_what_does_not_fit_is_decoded_on_demand_to_the_same_batches(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = DataSpec(source=Use(ImageFolder, **SETTINGS), validation=0.25)
    augment: list[Augment] = [Crop(padding=1), Flip()]
    resident = load(spec, 0, folder, torch.device("cpu"))
    monkeypatch.setattr(cached, "RESIDENT_BYTES", 0)
    streamed = load(spec, 0, folder, torch.device("cpu"))
    assert isinstance(resident.train.images, Tensor)
    assert isinstance(streamed.train.images, Decoded)
    both = (training_batches(data, 4, augment, 0, 0) for data in (resident, streamed))
    for one, other in zip(*both, strict=True):
        assert_close(one.x, other.x, rtol=0, atol=0)
        assert_close(one.y, other.y)
        assert one.x.shape[2:] == (8, 8)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_an_image_that_cannot_be_decoded_is_named(damage: str, folder: Path) -> None:
    path = folder / "birds/train" / NAMES[1] / "bird_2.png"
    content = path.read_bytes()
    path.write_bytes({"truncated": content[:-200], "empty": b"", "text": b"no image"}[damage])
    with pytest.raises(Invalid, match=f"^{path} cannot be decoded: must be"):
        source().load(folder, "train")[0][torch.arange(12)]


def test_a_missing_folder_is_named(folder: Path) -> None:
    assert refused(folder, path="none").startswith(f"{folder / 'none/train'} is missing: ")
    shutil.rmtree(folder / "birds/test")
    line = refused(folder)
    assert line.startswith(f"{folder / 'birds/test'} is missing: ")
    assert "test/ or val/" in line


def test_training_and_test_images_must_have_the_same_classes(folder: Path) -> None:
    shutil.move(folder / "birds/test" / NAMES[2], folder / "birds/test/011.Jay")
    train, test = folder / "birds/train", folder / "birds/test"
    expected = f"{test} must have the classes of train/: only one has {NAMES[2]}, 011.Jay"
    assert refused(folder) == expected
    for i in range(5):
        (train / f"more_{i}").mkdir()
    assert refused(folder).endswith(f"{NAMES[2]}, 011.Jay, more_0 ...")


def test_a_class_without_images_is_named(folder: Path) -> None:
    empty = folder / "birds/test" / NAMES[1]
    for path in empty.iterdir():
        path.rename(path.with_suffix(".txt"))
    assert refused(folder) == f"{empty} has no images: must have some"


def test_missing_and_surplus_images_and_classes_are_counted(folder: Path) -> None:
    train, test = folder / "birds/train", folder / "birds/test"
    assert refused(folder, images=15) == f"{train} is incomplete: 12 of 15 images"
    assert refused(folder, images=11) == f"{train} has 12 images: must have 11"
    assert refused(folder, test_images=9) == f"{test} is incomplete: 6 of 9 images"
    assert refused(folder, classes=200) == f"{train} is incomplete: 3 of 200 classes"
    assert refused(folder, classes=2) == f"{train} has 3 classes: must have 2"


def test_the_stored_square_is_at_least_what_the_net_sees() -> None:
    with pytest.raises(Invalid, match=r"ImageFolder.resize = 7: must be at least side = 8"):
        Use(ImageFolder, **{**SETTINGS, "resize": 7})


def test_names_that_are_not_utf8_are_read_and_shown_with_an_escape(folder: Path) -> None:
    raw = b"caf\xe9"
    for part in (b"train", b"test"):
        place = os.path.join(os.fsencode(folder), b"birds", part)
        os.rename(os.path.join(place, NAMES[0].encode()), os.path.join(place, raw))
    place = os.path.join(os.fsencode(folder), b"birds/train", raw)
    os.rename(os.path.join(place, b"bird_0.png"), os.path.join(place, b"\xfc.png"))
    source().verify(folder)
    assert source().names(folder) == (*NAMES[1:], r"caf\xe9")
    assert loaded(folder, "train")[0].shape == (12, 3, 10, 10)
    assert len(identity(folder)) == 16


def test_hidden_files_and_folders_are_told_for_each_part(folder: Path) -> None:
    assert source().remarks(folder) == []
    (folder / "birds/train/.DS_Store").touch()
    (folder / "birds/test/@eaDir").mkdir()
    assert source().remarks(folder) == [
        f"{folder}/birds/train: 1 hidden file ignored",
        f"{folder}/birds/test: 1 hidden folder ignored",
    ]


def test_a_folder_of_which_nothing_may_be_known_is_named(folder: Path) -> None:
    long = "x" * 300  # longer than a name may be
    assert refused(folder, path=long).startswith(f"{folder / long / 'train'} cannot be read (File")


def test_the_setting_says_which_digits_stand_for_the_data() -> None:
    assert Use(ImageFolder, **SETTINGS).demo() == Use(Digits, turn=3)
    assert Use(ImageFolder, **SETTINGS, turn=6).demo() == Use(Digits, turn=6)


@pytest.mark.data
def test_the_real_images_are_what_torchvision_loads(tiny_imagenet: Path) -> None:
    counts = {"classes": 25, "images": 2500, "test_images": 1250}
    tiny = source(path="tiny-imagenet-25", side=64, resize=64, **counts)
    tiny.verify(tiny_imagenet)
    for part, name in (("train", "train"), ("test", "val")):
        theirs = datasets.ImageFolder(tiny_imagenet / "tiny-imagenet-25" / name)
        x, y = tiny.load(tiny_imagenet, part)
        assert y.tolist() == theirs.targets
        assert tiny.names(tiny_imagenet) == tuple(theirs.classes)
        some = torch.arange(0, len(y), 97)
        pixels = [v2.functional.pil_to_tensor(theirs[i][0]) for i in some.tolist()]
        assert_close(x[some], torch.stack(pixels))
