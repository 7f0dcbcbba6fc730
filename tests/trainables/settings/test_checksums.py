"""What identifies the files that settings name."""

import hashlib
from pathlib import Path
from typing import BinaryIO

import pytest

from trainables.settings import Files, Invalid, Missing, Rows, checksum


def test_a_files_checksum_is_its_contents_and_not_its_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    (tmp_path / "b").write_text("text")
    (tmp_path / "c").write_text("tex")
    assert checksum(tmp_path / "a") == checksum(tmp_path / "b") != checksum(tmp_path / "c")


def test_a_files_checksum_is_as_it_has_always_been(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    assert checksum(tmp_path / "a") == hashlib.sha256(b"text").hexdigest()[:16]


def test_a_changed_file_has_another_checksum(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    old = checksum(tmp_path / "a")
    (tmp_path / "a").write_text("TEXT")
    assert checksum(tmp_path / "a") != old


def test_what_is_no_file_has_no_checksum(tmp_path: Path) -> None:
    with pytest.raises(Missing, match=f"^{tmp_path}/a is missing: a file is needed there$"):
        checksum(tmp_path / "a")
    with pytest.raises(Invalid, match=f"^{tmp_path} is a folder: must be a file$"):
        checksum(tmp_path)
    (tmp_path / "b").symlink_to("/proc/self/mem")  # may be opened, but not read
    with pytest.raises(Invalid, match=f"^{tmp_path}/b cannot be read .*: must be readable$"):
        checksum(tmp_path / "b")


def test_the_checksum_of_files_is_of_their_names_and_content_in_order(tmp_path: Path) -> None:
    for name, content in (("one/a", "1"), ("one/b", "2"), ("two/a", "1"), ("two/b", "2")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    both = checksum(Files(tmp_path / "one", ("a", "b")))
    assert checksum(Files(tmp_path / "two", ("a", "b"))) == both
    assert checksum(Files(tmp_path / "one", ("b", "a"))) != both
    assert checksum(Files(tmp_path / "one", ("a",))) != both
    (tmp_path / "two/b").rename(tmp_path / "two/c")
    assert checksum(Files(tmp_path / "two", ("a", "c"))) != both


def test_content_that_is_refused_has_no_checksum(tmp_path: Path) -> None:
    def check(file: BinaryIO, path: Path) -> None:
        if file.read() != b"good":
            raise Invalid(f"{path} is bad")

    (tmp_path / "a").write_text("good")
    (tmp_path / "b").write_text("other")
    checksum(Files(tmp_path, ("a",), check))
    with pytest.raises(Invalid, match=f"^{tmp_path}/b is bad$"):
        checksum(Files(tmp_path, ("a", "b"), check))


def test_the_checksum_of_rows_is_of_what_is_read_by_the_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    rows = Rows(tmp_path / "a", lambda names: " ".join(names).encode())
    assert checksum(rows, lambda: ("cat", "dog")) == hashlib.sha256(b"cat dog").hexdigest()[:16]
    with pytest.raises(Missing, match="b is missing"):
        checksum(Rows(tmp_path / "b", rows.read), lambda: ("cat",))
