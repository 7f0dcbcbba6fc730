"""Images of one's own, through the command as a user gives it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.command import main

TINY = (
    *("data.source.side=8", "data.source.resize=10", "net=CifarResNet(depth=8, width=4)"),
    *("recipe.epochs=2", "recipe.batch_size=8"),
)
ANIMALS = {"cat": 8, "dog": 8, "lion": 8}
BESIDES = ["Resample", "Reweight", "CB focal", "LDAM-DRW", "Balanced softmax", "BALMS"]


def write(folder: Path, classes: Mapping[str, int], test: int = 2) -> None:
    """Images of 12 x 12 pixels, by class; each class has a colour of its own."""
    noise = np.random.default_rng(0)
    for part in ("train", "test"):
        for label, (name, images) in enumerate(classes.items()):
            place = folder / part / name
            place.mkdir(parents=True)
            for i in range(images if part == "train" else test):
                pixels = noise.integers(0, 120, (12, 12, 3))
                pixels[..., label % 3] += 100
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{i}.png")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "data"


def command(data: Path, *more: str, path: str | None = "birds") -> list[str]:
    changes = [*TINY, *([f"data.source.path={path}"] if path else [])]
    where = ["--data-dir", str(data)] * (not {"--status", "--report"} & {*more})
    where += ["--storage", str(data.parent / "storage"), "--seeds", "1"]
    settings = [part for change in changes for part in ("--set", change)]
    return ["--grid", "own_images", *where, *settings, *more]


Told = Callable[..., str]


@pytest.fixture
def told(data: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """What a dry run says."""

    def dry_run(*more: str) -> str:
        assert main(command(data, "--dry-run", *more)) == 0
        return capsys.readouterr().out

    return dry_run


def rows(said: str) -> list[str]:
    """The rows that a dry run shows, each once."""
    cells = (line for line in said.splitlines() if "(new)" in line)
    return list(dict.fromkeys(line.partition("  ")[0] for line in cells))


def test_of_equal_classes_there_are_no_rows_for_long_tails(data: Path, told: Told) -> None:
    write(data / "birds", ANIMALS)
    said = told()
    assert said.startswith("own_images: the setting as written, on data of your own\n")
    assert not {*BESIDES} & {*rows(said)}
    assert {"Cross-entropy", "Label smoothing", "OLS", "MFRW-MES", "Random matrix"} < {*rows(said)}
    left = [line for line in said.splitlines() if line.startswith(", ".join(BESIDES))]
    assert left == [
        f"{', '.join(BESIDES)}, larger, medium, smaller: left out: the largest class has 7 images "
        "to train on, the smallest 7: of a long tail at least 2 times as many"
    ]
    assert "larger:" not in said


def test_of_unequal_classes_there_are_these_rows_and_the_thirds(data: Path, told: Told) -> None:
    write(data / "birds", {"cat": 16, "dog": 8, "lion": 7})
    said = told()
    assert {*BESIDES} < {*rows(said)}
    for column in ("accuracy", "larger", "medium", "smaller"):
        assert f"BALMS                 {column}: " in said


def test_two_classes_have_no_thirds(data: Path, told: Told) -> None:
    write(data / "birds", {"cat": 16, "dog": 8})
    said = told()
    assert "larger, medium, smaller: left out: 2 classes have no thirds" in said
    assert {*BESIDES} < {*rows(said)}


def test_an_imbalance_that_is_set_makes_a_long_tail(data: Path, told: Told) -> None:
    write(data / "birds", ANIMALS)
    small = ("--set", "data.validation=0", "--set", "data.train_per_class=8")
    tail = ("--set", "data.imbalance=LongTail(rho=4)", "--only", "Resample")
    assert "Resample" in rows(told(*small, *tail))


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        (
            "wolv",
            "KESL",
            "hierarchy = 'wordnet': the class 'wolv' is no noun or synset of WordNet (nearest: ",
        ),
        (
            "lyon",
            "Word embedding",
            "the embedded vocabulary has no vector of 'lyon', of class 'lyon': its nearest entries",
        ),
    ],
)
def test_a_row_that_lacks_a_name_is_left_out_with_the_nearest(
    name: str, row: str, reason: str, data: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    write(data / "birds", {"cat": 8, "dog": 8, name: 8})
    said = told()
    assert row not in rows(said)
    (line,) = (line for line in said.splitlines() if line.startswith(f"{row}: left out: "))
    assert reason in line
    assert "; or --set " in line
    assert main(command(data, "--dry-run", "--only", row)) == 2
    assert f"error: --only: row {row!r} is left out: {reason}" in capsys.readouterr().err


def test_without_enough_images_for_clean_ones_their_row_is_left_out(data: Path, told: Told) -> None:
    write(data / "birds", {"cat": 8, "dog": 8, "lion": 6})
    said = told()
    assert (
        "MFRW-MES: left out: dataspec.meta_per_class = 5: must be below 5, the images left" in said
    )
    assert "MFRW-MES" not in rows(said)
    assert "MFRW-MES" in rows(told("--set", "data.meta_per_class=2"))


def test_a_taxonomy_stands_for_wordnet(data: Path, told: Told) -> None:
    write(data / "birds", {"a": 8, "b": 8, "c": 8})
    (data / "tree.txt").write_text("x a\nx b\ny c\nz x\nz y\n")
    assert "KESL" in rows(told("--set", "targets.hierarchy=tree.txt"))


def test_given_and_counted_numbers_are_of_one_trial(data: Path, told: Told) -> None:
    write(data / "birds", ANIMALS)
    numbers = ("data.source.classes=3", "data.source.images=24", "data.source.test_images=6")
    given = told(*(part for number in numbers for part in ("--set", number)))
    cells = [line for line in given.splitlines() if "(new)" in line]
    assert cells == [line for line in told().splitlines() if "(new)" in line]
    assert "classes=3, images=24, test_images=6" in given


def tree(data: Path) -> None:
    write(data / "birds", ANIMALS)
    (data / "tree.txt").write_text("animal cat\nanimal dog\nanimal lions\n")


@pytest.mark.parametrize(
    ("make", "more", "error"),
    [
        (
            lambda data: write(data / "birds", {"cat": 4}),
            (),
            "/birds/train has one class, cat: must",
        ),
        (
            lambda data: (data / "birds/train").mkdir(parents=True),
            (),
            "/birds must have train/ and",
        ),
        (
            lambda data: write(data / "brids", ANIMALS),
            (),
            "/birds is missing, the nearest there is",
        ),
        (lambda data: data.mkdir(), (), "/birds/train is missing: "),
        (
            tree,
            ("--set", "targets.hierarchy=tree.txt"),
            "misses the classes 'lion': must name each (nearest to 'lion': 'lions')",
        ),
        (tree, ("--set", "targets.hierarchy=tre.txt"), "there is no file"),
        (tree, ("--set", "head.vectors.substitutes=('cat=katze',)"), "no vector of 'katze'"),
        (
            lambda data: write(data / "birds", {"cat": 4, "dog": 1}),
            (),
            "validation = 0.1: must be 0, or class 'dog' must have more than its one image",
        ),
        (
            lambda data: write(data / "birds", ANIMALS),
            ("--set", "data.validation=0.97"),
            "validation = 0.97: must be less, to leave some of the 8 images of class 'cat' to",
        ),
        (
            lambda data: write(data / "birds", ANIMALS),
            ("--set", "data.meta_per_class=7"),
            "meta_per_class = 7: must be below 7, the images left of class 'cat', one of which",
        ),
        (
            lambda data: write(data / "birds", ANIMALS),
            ("--only", "KESLL"),
            "--only: row 'KESLL' is unknown: valid are KESL, Cross-entropy",
        ),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line_before_anything_starts(
    make: Callable[[Path], object],
    more: tuple[str, ...],
    error: str,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(data)
    for mode in ((), ("--dry-run",)):
        assert main(command(data, *more, *mode)) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ")
        assert error in said
        assert said.count("\n") == 1
    assert not list(data.parent.glob("storage/trials/*"))


def test_the_path_must_be_given(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(data / "birds", ANIMALS)
    for mode in ((), ("--dry-run",), ("--dry-run", "--scale", "paper")):
        assert main(command(data, *mode, path=None)) == 2
        assert capsys.readouterr().err == (
            "error: data.source.path is missing: must be given by --set data.source.path=NAME, "
            f"a folder of images in {data}, as birds\n"
        )


@pytest.mark.slow
def test_a_study_ends_with_a_table_and_report_that_speak_of_no_paper(
    data: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    write(data / "birds", {"cat": 16, "dog": 8, "wolv": 7})
    (data / "tree.txt").write_text("x cat\nx dog\ny wolv\nz x\nz y\n")
    chosen = ("Cross-entropy", "KESL", "MFRW-MES", "BALMS")
    only = [part for row in chosen for part in ("--only", row)]
    taxonomy = ["--set", "targets.hierarchy=tree.txt"]
    assert main(command(data, *taxonomy, *only)) == 0
    said = capsys.readouterr().out
    assert "\nImages of one's own\n" in said
    assert "selection rule: best_validation)" in said
    assert "Left out: Word embedding (the embedded vocabulary has no vector of 'wolv'" in said
    for word in ("DEMO", "demo", "paper", "published", "printed"):
        assert word not in said
    (study,) = data.parent.glob("storage/studies/own_images.*")
    page = (study / "report/report.html").read_text()
    assert "<figure" in page
    for word in ("DEMO", "published", "the paper"):
        assert word not in page.replace("base64", "")
    assert "KESL" in (study / "report/table.csv").read_text()
    for mode in ("--status", "--report"):
        assert main(command(data, *taxonomy, mode)) == 0
        assert "KESL" in capsys.readouterr().out
    again = told(*taxonomy, *only)
    assert "0 trials are new, 0 to be resumed, 4 finished" in again
