"""Images in a list for each part: which are whose, and what is refused."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.data.sources.test_image_folder import picture
from trainables.data.sources import split_lists
from trainables.data.sources.digits import Digits
from trainables.data.sources.split_lists import SplitLists, read
from trainables.settings import Invalid, Missing, Use

SETTINGS: dict[str, Any] = {
    "path": "shop",
    "train": ("train.txt",),
    "meta": ("val.txt",),
    "test": ("test.txt",),
    "side": 8,
    "resize": 10,
    "classes": 2,
    "images": 3,
    "meta_images": 4,
    "test_images": 2,
}
LISTS = {
    "train": ("a/0.png 0", "/a/1.png 1", "./b/deep/2.png 0"),
    "val": ("a/3.png 1", "b/4.png 0", "b/5.png 0", "b/6.png 1"),
    "test": ("c/7.png 1", "c/8 of 8.png 0"),
}
# As Clothing1M: paths alone, and files with the labels of these and of others.
KEYS = {
    "train": ("train_keys.txt", "noisy_kv.txt"),
    "meta": ("val_keys.txt", "clean_kv.txt"),
    "test": ("test_keys.txt", "clean_kv.txt"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine images in folders, in three lists of "path label"; and the same as lists of paths."""
    root = tmp_path / "shop"
    for number, line in enumerate(line for lines in LISTS.values() for line in lines):
        image = root / line.rpartition(" ")[0].lstrip("/")
        image.parent.mkdir(parents=True, exist_ok=True)
        picture(12, 15, seed=number).save(image)
    for name, lines in LISTS.items():
        write(root / f"{name}.txt", lines)
        write(root / f"{name}_keys.txt", (line.rpartition(" ")[0] for line in lines))
    write(root / "noisy_kv.txt", (*LISTS["train"], "z/elsewhere.png 1"))
    write(root / "clean_kv.txt", ("a/0.png 1", *LISTS["test"], *LISTS["val"]))
    return tmp_path


def write(path: Path, lines: Any) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def source(**changes: object) -> SplitLists:
    built: SplitLists = Use(SplitLists, **{**SETTINGS, **changes}).build()
    return built


def refused(folder: Path, kind: type[Invalid] = Invalid, **changes: object) -> str:
    with pytest.raises(kind) as error:
        source(**changes).verify(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def checksums(folder: Path, **changes: object) -> dict[str, str]:
    return dict(Use(SplitLists, **{**SETTINGS, **changes}).resolved(folder).checksums or ())


@pytest.mark.parametrize("lists", [{}, KEYS], ids=["labels in the list", "labels apart"])
def test_each_part_has_the_images_of_its_list(folder: Path, lists: dict[str, Any]) -> None:
    shop = source(**lists)
    shop.verify(folder)
    loaded = {part: shop.load(folder, part) for part in ("train", "meta", "test")}
    assert {part: y.tolist() for part, (_, y) in loaded.items()} == {
        "train": [0, 1, 0],
        "meta": [1, 0, 0, 1],
        "test": [1, 0],
    }
    assert all(shop.labels_of(folder, part).equal(y) for part, (_, y) in loaded.items())
    pixels = [images[torch.arange(len(images))] for images, _ in loaded.values()]
    assert [tuple(x.shape) for x in pixels] == [(n, 3, 10, 10) for n in (3, 4, 2)]
    assert len({image.numpy().tobytes() for x in pixels for image in x}) == 9


def test_a_place_has_one_name_however_it_is_written(folder: Path) -> None:
    lists = tuple(tuple(SETTINGS[part]) for part in ("train", "meta", "test"))
    train, _, test = read(folder / "shop", lists, 2)
    assert train.names == ("a/0.png", "a/1.png", "b/deep/2.png")
    assert test.names == ("c/7.png", "c/8 of 8.png")


def test_labels_are_read_without_a_look_at_an_image(folder: Path) -> None:
    (folder / "shop/a/3.png").unlink()
    assert source().labels_of(folder, "meta").tolist() == [1, 0, 0, 1]


def test_a_data_set_may_have_no_clean_images_besides(folder: Path) -> None:
    shop = source(meta=(), meta_images=0)
    shop.verify(folder)
    assert shop.meta_images == 0
    assert checksums(folder, meta=(), meta_images=0).keys() == {"train", "test", "path"}


def test_lists_labels_and_images_enter_the_checksums_each_under_its_setting(folder: Path) -> None:
    before, root = checksums(folder, **KEYS), folder / "shop"
    assert before.keys() == {"train", "meta", "test", "path"}
    picture(12, 15, seed=99).save(root / "a/other.png")
    assert checksums(folder, **KEYS) == before
    picture(12, 15, seed=99).save(root / "b/4.png")
    assert differing(before, checksums(folder, **KEYS)) == {"path"}
    write(root / "clean_kv.txt", (*LISTS["test"], *LISTS["val"]))
    assert differing(before, checksums(folder, **KEYS)) == {"path", "meta", "test"}
    write(root / "names.txt", ("shirt", "vest"))
    assert checksums(folder, names="names.txt").keys() == {*before, "names"}


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_a_list_that_has_changed_is_read_anew(folder: Path) -> None:
    path = folder / "shop/train.txt"
    source().verify(folder)
    write(path, ("a/0.png 1", "a/1.png 1", "b/deep/2.png 0"))
    os.utime(path, (0, 0))
    assert source().labels_of(folder, "train").tolist() == [1, 1, 0]


def test_what_is_missing_is_named(folder: Path) -> None:
    root = folder / "shop"
    what = f"^{root / 'none.txt'} is missing: a list of images must be there$"
    with pytest.raises(Missing, match=what):
        source(test=("none.txt",)).verify(folder)
    assert "none.txt is missing" in refused(folder, Missing, test=("test_keys.txt", "none.txt"))
    said = refused(folder, Missing, images=5)
    assert said == f"{root / 'train.txt'} is incomplete: 3 of 5 images"
    assert "val.txt has 4 images: must have 2" in refused(folder, meta_images=2)
    assert "train.txt names no image of class 2: must have some" in refused(folder, classes=3)
    (root / "b/4.png").unlink()
    assert refused(folder, Missing) == f"{root / 'b/4.png'} is missing: a list names it"
    (root / "b/5.png").unlink()
    (root / "b/6.png").unlink()
    assert "b/4.png is missing: a list names it" in refused(folder, Missing)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("c/7.png 2", "line 3: 'c/7.png 2' must be a path and a label from 0 to 1"),
        ("c/7.png -1", "'c/7.png -1' must be a path and a label"),
        ("c/7.png one", "must be a path and a label"),
        ("c/7.png", "'c/7.png' must be a path and a label"),
        ("0", "'0' must be a path and a label"),
        ("c/8 of 8.png 1", "line 3: c/8 of 8.png must be listed once: test.txt has it, too"),
        ("../a/../c/7.png 0", "c/7.png must be listed once: test.txt has it, too"),
        ("./a//0.png 0", "line 3: a/0.png must be listed once: train.txt has it, too"),
        ("/b/6.png 1", "line 3: b/6.png must be listed once: val.txt has it, too"),
        ("c/\udce9 2", r"line 3: 'c/\udce9 2' must be a path and a label"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(folder: Path, line: str, message: str) -> None:
    lines = "".join(f"{each}\n" for each in (*LISTS["test"], line))
    (folder / "shop/test.txt").write_bytes(lines.encode(errors="surrogateescape"))
    said = refused(folder, test_images=3)
    assert said.startswith(f"{folder}/shop/test.txt")
    assert message in said


def test_a_listed_path_without_a_label_is_named(folder: Path) -> None:
    root = folder / "shop"
    write(root / "noisy_kv.txt", LISTS["train"][:2])
    said = refused(folder, **KEYS)
    assert said == (
        f"{root / 'train_keys.txt'}, line 3: b/deep/2.png must have a label in "
        f"{root / 'noisy_kv.txt'}"
    )


def test_empty_lines_are_none(folder: Path) -> None:
    write(folder / "shop/train.txt", ("", *LISTS["train"], "  ", ""))
    source().verify(folder)


def test_classes_are_called_by_number_by_given_names_or_by_a_files(folder: Path) -> None:
    assert source().names(Path("nowhere")) == ("0", "1")
    assert source(names=("T-Shirt", "Down Coat")).names(Path("nowhere")) == ("T-Shirt", "Down Coat")
    write(folder / "shop/names.txt", ("shirt", "down coat"))
    shop = source(names="names.txt")
    shop.verify(folder)
    assert shop.names(folder) == ("shirt", "down coat")


@pytest.mark.parametrize("lines", [("one",), ("one", "one"), ("one", ""), ("1", "2", "3")])
def test_names_that_are_not_one_for_each_class_are_refused(
    folder: Path, lines: tuple[str, ...]
) -> None:
    valid = "must be 2 different names, none of them empty"
    with pytest.raises(Invalid, match=rf"^SplitLists.names = \(.*\): {valid}$"):
        source(names=lines)
    assert "names.txt is missing: a file is needed there" in refused(folder, names="names.txt")
    write(folder / "shop/names.txt", lines)
    assert refused(folder, names="names.txt") == f"{folder}/shop/names.txt: {valid}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resize": 4}, "SplitLists.resize = 4: must be at least side = 8"),
        ({"train": ()}, r"SplitLists.train = \(\): must name one list, or two"),
        ({"test": ("a", "b", "c")}, r"SplitLists.test = \('a', 'b', 'c'\): must name one"),
        ({"meta": ()}, "SplitLists.meta_images = 4: must be above 0 with lists of `meta`, and 0"),
        ({"meta_images": 0}, "SplitLists.meta_images = 0: must be above 0 with lists of `meta`"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_written(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(Invalid, match=f"^{message}"):
        source(**changes)


def test_its_demo_is_a_variant_of_the_digits() -> None:
    assert Use(SplitLists, **SETTINGS, turn=7).demo() == Use(Digits, turn=7)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose lines are read."""
    opened: list[Path] = []
    lines = split_lists._lines

    def record(path: Path) -> Iterator[tuple[str, str]]:
        opened.append(path)
        return lines(path)

    monkeypatch.setattr(split_lists, "_lines", record)
    return opened


def test_a_list_is_read_once_as_long_as_it_stays(folder: Path, counted: list[Path]) -> None:
    for _ in range(3):
        source().verify(folder)
        source().labels_of(folder, "train")
    assert len(counted) == 3
