"""Content of files, read once as long as they stay as they are."""

import hashlib
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import pytest

from trainables.settings import Invalid
from trainables.settings import digests as module
from trainables.settings.digests import digests

NAMES = [f"{i:03}" for i in range(150)]  # more than a thread takes at once


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that are worth remembering, and old enough for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "REMEMBERED_FROM", 0)
    monkeypatch.setattr(module, "YOUNG", -1)
    (tmp_path / "files").mkdir()
    for name in NAMES:
        (tmp_path / "files" / name).write_text(name)
    return tmp_path / "files"


class Reader:
    """Notes which files are read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, file: BinaryIO, path: Path) -> None:
        assert file.tell() == 0
        self.read.append(path.name)


def found(folder: Path, rules: str = "") -> tuple[list[bytes], list[str]]:
    """The digests, and the names of the files that were read for them."""
    reader = Reader()
    paths = [str(folder / name) for name in NAMES]
    return digests(paths, str(folder), reader, rules), sorted(reader.read)


def test_digests_are_of_the_content_in_the_order_of_the_paths(folder: Path) -> None:
    right = [hashlib.sha256(name.encode()).digest() for name in NAMES]
    assert found(folder) == (right, NAMES)
    assert found(folder) == (right, [])


def test_only_what_has_changed_is_read_again(folder: Path) -> None:
    before, _ = found(folder)
    (folder / "001").write_text("abc")  # of the same size
    now, read = found(folder)
    assert read == ["001"]
    assert [i for i in range(150) if now[i] != before[i]] == [1]


def test_a_change_that_keeps_size_and_time_is_seen(folder: Path) -> None:
    state = (folder / "001").stat()
    found(folder)
    (folder / "001").write_text("abc")
    os.utime(folder / "001", ns=(state.st_atime_ns, state.st_mtime_ns))
    digest = hashlib.sha256(b"abc").digest()
    assert found(folder)[0][1] == digest
    (folder / "new").write_text("def")
    os.utime(folder / "new", ns=(state.st_atime_ns, state.st_mtime_ns))
    (folder / "new").rename(folder / "001")
    assert found(folder)[0][1] == hashlib.sha256(b"def").digest()


def test_a_file_that_has_just_changed_is_not_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YOUNG", 3600 * 10**9)
    assert found(folder)[1] == found(folder)[1] == NAMES


def test_with_other_rules_every_file_is_looked_at_again(folder: Path) -> None:
    found(folder, "rules 1")
    assert found(folder, "rules 2")[1] == NAMES
    assert found(folder, "rules 1")[1] == []


def test_what_was_read_before_a_refusal_is_remembered(folder: Path) -> None:
    paths = [str(folder / name) for name in NAMES]

    def check(file: BinaryIO, path: Path) -> None:
        if path.name == "149":
            raise Invalid(f"{path} is bad")

    with pytest.raises(Invalid, match=r"149 is bad$"):
        digests(paths, str(folder), check)
    assert found(folder)[1] == NAMES[128:]  # those that one thread took together


def test_files_that_are_gone_are_forgotten_in_time(folder: Path, tmp_path: Path) -> None:
    (path,) = (found(folder), *tmp_path.glob("cache/label-studies/????????????????????????"))[1:]
    size = path.stat().st_size
    digests([str(folder / "001"), str(folder)][:1], str(folder), Reader())
    assert path.stat().st_size == size
    (folder / "001").write_text("new")
    digests([str(folder / "001")], str(folder), Reader())
    assert path.stat().st_size < 200


def test_little_to_read_leaves_no_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_FROM", 64 << 20)
    assert found(folder)[1] == found(folder)[1] == NAMES
    assert not (tmp_path / "cache").exists()


def test_much_to_read_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "TOLD_FROM", 150 * module.OPENING)
    found(folder)
    found(folder)
    told = f"{folder}: 150 files, 0.0 GiB, are read once to identify them\n"
    assert capsys.readouterr().out == told


class Line(Reader):
    """Leaves a line for each file that is read, in whatever process."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, file: BinaryIO, path: Path) -> None:
        with self.file.open("a") as lines:
            lines.write(f"{path.name}\n")
        time.sleep(0.001)


def test_many_processes_read_each_file_once(folder: Path, tmp_path: Path) -> None:
    paths = [str(folder / name) for name in NAMES]
    arguments = paths, str(folder), Line(tmp_path / "lines")
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        answers = [pool.submit(digests, *arguments) for _ in range(8)]
    assert len({tuple(answer.result()) for answer in answers}) == 1
    assert sorted((tmp_path / "lines").read_text().split()) == NAMES


def test_a_file_that_is_missing_is_named(folder: Path) -> None:
    (folder / "007").unlink()
    with pytest.raises(Invalid, match=rf"^{folder}/007 cannot be read \(No such file"):
        found(folder)
