"""Figures that would come out the same are not drawn again; all others are."""

from pathlib import Path

import pytest
from pandas import DataFrame

from analysis.figures.kept import NOTE, files, kept, key_of, note

FRAME = DataFrame({"a": [1.0, 2.0]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With two figures, drawn from "key"."""
    for file in files(tmp_path, ["one", "two"]):
        file.touch()
    note(tmp_path, "key", ["one", "two"])
    return tmp_path


def test_what_was_drawn_from_the_same_is_kept(folder: Path) -> None:
    assert kept(folder, "key") == ["one", "two"]
    assert kept(folder, "another key") is None


def test_a_figure_that_is_gone_is_drawn_again(folder: Path) -> None:
    (folder / "two.svg").unlink()
    assert kept(folder, "key") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key": "key"}'])
def test_a_note_that_cannot_be_read_keeps_nothing(folder: Path, content: str) -> None:
    (folder / NOTE).write_text(content)
    assert kept(folder, "key") is None
    (folder / NOTE).unlink()
    assert kept(folder, "key") is None


def test_the_key_is_of_every_part_and_its_place() -> None:
    parts = [["a", FRAME], [FRAME, "a"], ["a", FRAME * 2], ["ab", FRAME], ["a", "b", FRAME], ["a"]]
    keys = [key_of(some) for some in parts]
    assert len(set(keys)) == len(keys)
    assert key_of(["a", FRAME.copy()]) == keys[0]
