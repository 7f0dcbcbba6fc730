"""Studies of a user's own folder of images: what lies about there, and what cannot be used."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.command import main
from tests.study.command import finish
from trainables.data import cache
from trainables.data.cache import Cache
from trainables.data.sources import cached
from trainables.data.sources.image_folder import ImageFolder
from trainables.settings import Use

SETTINGS = (
    *("data.source.path=birds", "data.source.side=8", "data.source.resize=10"),
    *("data.source.classes=3", "data.source.images=12", "data.source.test_images=6"),
    *("net=CifarResNet(depth=8, width=2)", "recipe.epochs=1", "recipe.batch_size=4"),
    *("recipe.schedule=constant", "recipe.milestones=()"),
)
CLASSES = ("001.Albatross", "002.Crow", "003.Jay")
TREE = "cub-taxonomy.txt"
CROW = "birds/train/002.Crow"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with birds/, three classes of four training and two test images."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    noise = np.random.default_rng(0)
    for part, count in (("train", 4), ("test", 2)):
        for name in CLASSES:
            folder = tmp_path / "data/birds" / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                image = Image.fromarray(noise.integers(0, 256, (12, 12, 3), np.uint8))
                image.save(folder / f"{i}.bmp")
    (tmp_path / "data" / TREE).write_text("bird 1\nbird 2\nbird 3\n")
    return tmp_path / "data"


def arguments(data: Path, *more: str) -> list[str]:
    changes = [part for setting in SETTINGS for part in ("--set", setting)]
    where = ["--data-dir", str(data), "--storage", str(data.parent / "storage")]
    return ["--grid", "kesl_ablation", "--scale", "paper", "--seeds", "1", *changes, *where, *more]


def everything(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if "storage" not in path.parts}


def write(name: str, image: Image.Image, kind: str = "TIFF") -> Callable[[Path], None]:
    return lambda data: image.save(data / name, kind)


def link(name: str, target: str) -> Callable[[Path], None]:
    def replace(data: Path) -> None:
        (data / name).unlink(missing_ok=True)
        (data / name).symlink_to(target)

    return replace


FLOAT = Image.new("F", (9, 9), 0.5)
WIDE = Image.fromarray(np.full((9, 9), 70_000, np.int32))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (write(f"{CROW}/0.bmp", FLOAT), "0.bmp has pixels of mode F (TIFF): must be 8 bits"),
        (write(f"{CROW}/0.bmp", WIDE), "0.bmp has pixels of mode I (TIFF): must be 8 bits"),
        (link(f"{CROW}/0.bmp", "gone.bmp"), "0.bmp is a link to gone.bmp, which is missing"),
        (link(f"{CROW}/0.bmp", "0.bmp"), "0.bmp cannot be read (Too many levels of"),
        (link(f"{CROW}/0.bmp", "/proc/self/mem"), "0.bmp cannot be read (Input/output error)"),
        (link("birds/train/004.Owl", "/gone"), "004.Owl is a link to /gone, which is missing"),
        (link(f"{CROW}/all", ".."), "all leads to "),
        (lambda data: (data / CROW / "0.bmp").write_bytes(b""), "0.bmp cannot be decoded"),
        (link(TREE, "/proc/self/mem"), f"{TREE} cannot be read (Input/output error)"),
        (lambda data: (data / TREE).write_bytes(b"caf\xe9 1\n"), "must be text in UTF-8"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line_before_any_trial(
    damage: Callable[[Path], None],
    error: str,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(data)
    before = everything(data.parent)
    for mode in ((), ("--dry-run",)):
        assert main(arguments(data, *mode)) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert error in said
        assert said.count("\n") == 1
    assert everything(data.parent) == before
    assert not list(data.parent.glob("storage/trials/*"))


def test_a_path_that_is_not_utf8_is_refused_in_one_line(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "birds").rename(data / "caf\udce9")
    shortened = [text for text in arguments(data) if text != SETTINGS[0]]
    del shortened[shortened.index("--set")]
    assert main([*shortened, "--set", "data.source.path=caf\udce9"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert r"ImageFolder.path = caf\xe9: must be text in UTF-8" in said


def ids(data: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a dry run that show the ids."""
    assert main(arguments(data, "--dry-run")) == 0
    return [line for line in capsys.readouterr().out.splitlines() if "(new)" in line]


def test_what_is_hidden_changes_no_id_and_swapped_pixels_change_each(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ids(data, capsys)
    assert len(before) == 9
    for part in ("train", "test"):
        (data / "birds" / part / ".DS_Store").touch()
        (data / "birds" / part / CLASSES[0] / "Thumbs.db").touch()
    (data / CROW / ".#0.bmp").symlink_to("somebody@somewhere.42:1")
    (data / CROW / ".ipynb_checkpoints").mkdir()
    assert main(arguments(data, "--dry-run")) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "(new)" in line] == before
    assert f"{data}/birds/train: 3 hidden files and 1 hidden folder ignored" in said
    assert f"{data}/birds/test: 2 hidden files ignored" in said
    one, other = (data / CROW / name for name in ("0.bmp", "1.bmp"))
    one.rename(data / "kept")
    other.rename(one)
    (data / "kept").rename(other)
    assert not set(before).intersection(ids(data, capsys))


def test_a_dry_run_lists_what_is_missing_and_goes_on(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / CROW / "0.bmp").unlink()
    (data / TREE).unlink()
    assert main(arguments(data, "--dry-run")) == 0
    said = capsys.readouterr().out
    assert f"missing: {data}/birds/train/002.Crow is incomplete" not in said
    assert f"missing: {data}/birds/train is incomplete: 11 of 12 images" in said
    assert f"missing: hierarchy = '{TREE}': there is no file {data / TREE}" in said


def test_a_dry_run_says_what_the_cache_takes_and_refuses_one_without_room_or_of_other_images(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "RESIDENT_BYTES", 0)
    place = data.parent / "fast"
    given = arguments(data, "--dry-run", "--cache-dir", str(place))
    before = everything(data.parent)
    assert main([*given, "--cache-size", "1GB"]) == 0
    what = f"{data}/birds: 18 images are 0.0 MB when decoded, and cached in {place}"
    assert what in capsys.readouterr().out.splitlines()
    assert everything(data.parent) == before
    source = Use(ImageFolder, path=str(data / "birds"), side=8, resize=10).build()
    file = cached.kept(source.decoded(data)[0], Cache(place, 10**9))
    assert isinstance(file, cached.Cached)
    (path,) = place.glob("*.squares")
    path.write_bytes(b"other")
    for mode in (given, [text for text in given if text != "--dry-run"]):
        assert main([*mode, "--cache-size", "1GB"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {path} is of other images, or incomplete: must be removed")
        assert said.count("\n") == 1
    path.unlink()
    monkeypatch.setattr(cache, "LEFT", 2**60)  # no disk has room for more than that
    assert main(given) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --cache-dir = {place}: must have room for 0.0 MB, one of 100")
    assert said.count("\n") == 1


@pytest.mark.slow
def test_names_in_latin_1_and_grey_of_16_bits_are_trained_recorded_and_reported(
    data: Path,
) -> None:
    for part in (b"train", b"test"):
        folder = os.path.join(os.fsencode(data), b"birds", part)
        os.rename(os.path.join(folder, b"003.Jay"), os.path.join(folder, b"caf\xe9, noir"))
        place = os.path.join(folder, b"caf\xe9, noir")
        os.rename(os.path.join(place, b"0.bmp"), os.path.join(place, b"\xfc.bmp"))
        Image.fromarray(np.full((9, 9), 30_000, np.uint16)).save(
            os.path.join(place, b"1.bmp").decode(errors="surrogateescape"), "PNG"
        )
    (data / TREE).write_text("bird\t1\nbird\t2\nbird\tcaf\\xe9, noir\n")
    one = ["--only", "T 2, alpha 1, beta 1"]
    fast = data.parent / "fast"
    run = [sys.executable, "study/run.py", *arguments(data, *one, "--cache-dir", str(fast))]
    (data / "birds/train/.DS_Store").touch()
    said = finish(run)
    assert "0 with a result" in said
    assert f"{data}/birds/train: 1 hidden file ignored" in said.splitlines()
    assert len(list(fast.glob("*.squares"))) == 2  # of training and of test images
    (trial,) = data.parent.glob("storage/trials/*")
    table = (trial / "soft_labels.csv").read_text().splitlines()
    assert table[0] == r'001.Albatross,002.Crow,"caf\xe9, noir"'
    (report,) = data.parent.glob("storage/studies/*/report/report.html")
    assert report.read_text()
    assert "1 with a result" in finish(run)
