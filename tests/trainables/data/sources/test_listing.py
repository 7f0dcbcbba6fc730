"""Which images a folder holds, and what else may lie about in it."""

import os
from pathlib import Path

import pytest
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from trainables.data.sources import listing as module
from trainables.data.sources.listing import listing
from trainables.settings import Invalid


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """Two classes, one with a folder inside; the images have no content."""
    folder = tmp_path / "birds/train"
    for name in ("a/0.png", "a/1.JPG", "a/notes.txt", "b/more/2.bmp", "b/more-0/3.bmp", "b/z.webp"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "readme.txt").touch()
    return folder


def refused(part: Path) -> str:
    with pytest.raises(Invalid) as error:
        listing(part)
    assert str(error.value).isprintable()
    return str(error.value)


def test_images_and_their_order_are_torchvisions(part: Path) -> None:
    theirs = ImageFolder(part)
    ours = listing(part)
    assert ours.classes == ("a", "b")
    assert [str(part / image) for image in ours.images] == [path for path, _ in theirs.samples]
    assert list(ours.labels) == theirs.targets == [0, 0, 1, 1, 1]
    assert ours.remark is None


def test_links_to_images_and_to_folders_are_followed(part: Path) -> None:
    (part / "a/2.png").symlink_to("0.png")
    (part / "a/others").symlink_to(part / "b/more")
    (part / "c").symlink_to("a")
    theirs = ImageFolder(part)
    assert len(theirs) == 11
    assert [str(part / image) for image in listing(part).images] == [p for p, _ in theirs.samples]


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "a/.DS_Store", "a/._0.jpg", "a/.#0.jpg", "a/.nfs0001.png"),
        *("Thumbs.db", "a/Thumbs.db", "a/desktop.ini", "a/Icon\r"),
    ],
)
def test_a_hidden_file_is_no_image(name: str, part: Path) -> None:
    before = listing(part)
    (part / name).touch()
    now = listing(part)
    assert (now.classes, now.images) == (before.classes, before.images)
    assert now.remark == f"{part}: 1 hidden file ignored"


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints",
        "a/.ipynb_checkpoints",
        "@eaDir",
        "a/@eaDir",
        "__MACOSX",
        "$RECYCLE.BIN",
    ],
)
def test_a_hidden_folder_is_no_class(name: str, part: Path) -> None:
    before = listing(part)
    (part / name).mkdir()
    (part / name / "0.png").touch()
    now = listing(part)
    assert (now.classes, now.images) == (before.classes, before.images)
    assert now.remark == f"{part}: 1 hidden folder ignored"


def test_what_is_hidden_is_counted_in_one_line(part: Path) -> None:
    for name in (".DS_Store", "a/.DS_Store", "b/Thumbs.db"):
        (part / name).touch()
    (part / "b/.#z.webp").symlink_to("somebody@somewhere.42:1")  # an emacs lock
    for name in ("@eaDir", "b/@eaDir"):
        (part / name).mkdir()
    assert listing(part).remark == f"{part}: 4 hidden files and 2 hidden folders ignored"


@pytest.mark.parametrize("name", ["c", "a/more", "a/9.png"])
def test_a_link_to_nothing_is_named(name: str, part: Path) -> None:
    (part / name).symlink_to("../gone")
    expected = f"{part / name} is a link to ../gone, which is missing: must be a link to something"
    assert refused(part).startswith(expected)


def test_a_link_in_a_circle_is_named(part: Path) -> None:
    (part / "a/9.png").symlink_to("9.png")
    assert refused(part).startswith(f"{part / 'a/9.png'} cannot be read (Too many levels")


@pytest.mark.parametrize(
    ("name", "target"), [("a/up", ".."), ("a/up", "."), ("up", "../.."), ("b/more/up", "../../..")]
)
def test_a_link_to_a_folder_that_it_lies_in_is_named(name: str, target: str, part: Path) -> None:
    (part / name).symlink_to(target)
    around = (part / name).resolve()
    expected = f"{part / name} leads to {around}, a folder that it lies in: must not be there"
    assert refused(part) == expected


def test_two_folders_that_lead_to_each_other_are_named(part: Path) -> None:
    (part / "a/x").symlink_to("../b")
    (part / "b/y").symlink_to("../a")
    assert refused(part).startswith(f"{part / 'a/x/y'} leads to {part / 'a'}, a folder that it")


def test_a_link_in_a_part_that_is_a_link_itself_may_not_lead_back(part: Path) -> None:
    part.rename(part.parent.parent / "disk")
    part.symlink_to("../disk")
    (part / "a/up").symlink_to(part.parent)
    assert refused(part).startswith(f"{part / 'a/up'} leads to {part.parent}, a folder that it")


def test_a_pipe_with_the_name_of_an_image_is_named(part: Path) -> None:
    os.mkfifo(part / "a/9.png")
    assert refused(part) == f"{part / 'a/9.png'} is neither a file nor a folder: must be removed"


@pytest.mark.parametrize("name", [b"caf\xe9", b"two\nlines"])
def test_any_name_of_a_file_or_a_class_is_listed(name: bytes, part: Path) -> None:
    os.mkdir(os.path.join(os.fsencode(part), name))
    with open(os.path.join(os.fsencode(part), name, name + b".png"), "wb"):
        pass
    found = listing(part)
    assert [os.fsencode(each) for each in found.classes] == [b"a", b"b", name]
    assert os.fsencode(found.images[-1]) == name + b"/" + name + b".png"


def test_a_refusal_shows_such_a_name_in_one_printable_line(part: Path) -> None:
    os.symlink(b"gone\xe9", os.path.join(os.fsencode(part), b"caf\xe9\n"))
    assert refused(part).startswith(rf"{part}/caf\xe9\n is a link to gone\xe9, which is missing")


def test_a_folder_is_listed_once_as_long_as_it_does_not_change(
    part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YOUNG", 0)
    first = listing(part)
    assert listing(part) is first
    (part / "a/2.png").touch()
    assert len(listing(part).images) == len(first.images) + 1


def test_a_folder_that_has_just_changed_is_listed_again(part: Path) -> None:
    assert listing(part) is not listing(part)


def test_what_counts_as_an_image_is_what_torchvision_takes_for_one() -> None:
    assert module.IMG_EXTENSIONS == IMG_EXTENSIONS
