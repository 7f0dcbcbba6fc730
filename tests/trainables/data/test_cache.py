import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data import cache as module
from trainables.data.cache import PAGE, Cache, CacheFile, Contents, bytes_of, shown
from trainables.settings import Invalid

ROW = 1000
WHOLE = 2 * PAGE + 10 * ROW  # the bytes of what `of` gives


@pytest.fixture(autouse=True)
def nothing_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEFT", 0)


def of(what: str, rows: int = 10) -> Contents:
    return Contents(what.encode() + b"\n", PAGE, ROW, rows)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.squares")}


def used(path: Path, second: int) -> None:
    """The file was last used then."""
    os.utime(path, (second, second))


@pytest.mark.parametrize(
    ("text", "size"),
    [("50GB", 50 * 10**9), ("1.5 tb", 1500 * 10**9), ("300MB", 3 * 10**8), ("0", 0), ("0GB", 0)],
)
def test_a_size_is_a_number_with_its_unit(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["12XB", "", "GB", "50", "-1GB", "1e3GB", "50 GB disk"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        bytes_of(text)
    valid = "must be a number with MB, GB or TB, like 50GB; or 0, for no cache"
    assert str(error.value) == f"{text!r} {valid}"


def test_sizes_are_shown_in_their_unit() -> None:
    assert (shown(261_748_000_000), shown(1_500_000)) == ("261.7 GB", "1.5 MB")


def test_without_a_folder_it_lies_beside_the_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache().place == tmp_path / "label-studies/images"
    assert Cache(tmp_path / "fast").place == tmp_path / "fast"
    assert Cache("~/fast").place == Path.home() / "fast"  # type: ignore[arg-type]  # from a notebook
    assert Cache(size=0).place is None
    with pytest.raises(Invalid, match=r"^--cache-size = -1: must be a number of bytes from 0 on$"):
        Cache(size=-1)


def test_what_is_written_is_there_again_and_the_rest_is_zero(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep/inside", 10**6)
    file = cache.open(of("a"))
    assert file.rows == 10
    file.write(memoryview(b"x" * ROW), of("a").begin + 3 * ROW)
    del file
    again, row = cache.open(of("a")), bytearray(ROW)
    assert again.read(memoryview(row), of("a").begin + 3 * ROW)
    assert row == b"x" * ROW
    assert again.read(memoryview(row), of("a").begin + 9 * ROW)
    assert row == bytes(ROW)
    assert not again.read(memoryview(row), of("a").size)


def test_a_file_takes_no_space_before_it_is_written(tmp_path: Path) -> None:
    Cache(tmp_path, 10**9).open(of("a", rows=100_000))
    (path,) = tmp_path.glob("*.squares")
    assert path.stat().st_size == of("a", rows=100_000).size
    assert path.stat().st_blocks * 512 <= 3 * PAGE


def test_the_longest_unused_makes_way_and_no_more_than_need_be(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 3 * WHOLE)
    for second, what in ((30, "a"), (10, "b"), (20, "c")):
        cache.open(of(what))
        used(tmp_path / of(what).name, second)
    cache.open(of("d"))
    assert names(tmp_path) == {of(what).name for what in "acd"}
    cache.open(of("a"))  # is used now
    cache.open(of("e"))
    assert names(tmp_path) == {of(what).name for what in "ade"}


def test_what_another_process_has_open_stays(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from trainables.data.cache import Cache\n"
        "from tests.trainables.data.test_cache import of, module; module.LEFT = 0\n"
        f"file = Cache(Path(sys.argv[1]), {WHOLE}).open(of('a')); print(file.rows, flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "10\n"
        small = Cache(tmp_path, WHOLE + 2 * PAGE + 4 * ROW + 7)
        assert small.open(of("b")).rows == 4  # the first ones, beside the other's
        assert Cache(tmp_path, WHOLE).open(of("a")).rows == 10  # both may have it open
        assert Cache(tmp_path, WHOLE // 2).open(of("a")).rows == 10  # and it is not cut off
        other.stdin.close()
    assert Cache(tmp_path, WHOLE).open(of("b")).rows == 10
    assert names(tmp_path) == {of("b").name}


def test_a_file_grows_and_shrinks_with_the_size(tmp_path: Path) -> None:
    def rows(size: int) -> int:
        return Cache(tmp_path, size).open(of("a")).rows

    assert [rows(WHOLE - 3 * ROW), rows(2 * WHOLE), rows(WHOLE - 9 * ROW), rows(1)] == [7, 10, 1, 0]


@given(st.integers(0, 3 * WHOLE), st.lists(st.sampled_from("abcd"), max_size=6))
def test_the_files_are_never_larger_than_the_size(size: int, whats: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(module, "LEFT", 0)
        for what in whats:
            rows = Cache(Path(folder), size or None).open(of(what)).rows
            files = list(Path(folder).glob("*.squares"))
            assert not size or sum(path.stat().st_size for path in files) <= max(size, 2 * PAGE)
            assert rows == 10 or size < WHOLE


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"an image"),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + bytes(ROW)),
        lambda path: path.write_bytes(b"z" + path.read_bytes()[1:]),
    ],
    ids=["other file", "cut off", "longer", "other images"],
)
def test_a_file_of_something_else_is_named_and_left_as_it_is(
    damage: Callable[[Path], object], tmp_path: Path
) -> None:
    cache, path = Cache(tmp_path, 10**6), tmp_path / of("a").name
    cache.check_file(of("a"))
    cache.open(of("a"))
    cache.check_file(of("a"))
    damage(path)
    before = path.read_bytes()
    valid = "must be removed, or --cache-dir another folder"
    looks: tuple[Callable[[Contents], object], ...] = (cache.check_file, cache.open)
    for look in looks:
        with pytest.raises(Invalid) as error:
            look(of("a"))
        assert str(error.value) == f"{path} is of other images, or incomplete: {valid}"
    assert path.read_bytes() == before


def test_what_a_process_left_half_made_is_removed(tmp_path: Path) -> None:
    (tmp_path / "abc.new").write_bytes(b"half")
    (tmp_path / "mine.txt").write_bytes(b"whole")
    Cache(tmp_path, 10**6).open(of("a"))
    assert {path.name for path in tmp_path.iterdir()} == {of("a").name, "mine.txt", ".lock"}


def test_a_full_disk_is_said_once_and_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    file = CacheFile(FileIO(full, "r+"), full, 10)
    for _ in range(3):
        file.write(memoryview(b"x"), 0)
    said = "/dev/full: no more images are kept (No space left on device)\n"
    assert capsys.readouterr().out == said


def test_a_folder_that_cannot_be_written_is_named_if_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    sealed = tmp_path / "file/below"
    why = r"must be a folder to write in \(Not a directory\)$"
    with pytest.raises(Invalid, match=f"^--cache-dir = {sealed}: {why}"):
        Cache(sealed).check()
    monkeypatch.setenv("XDG_CACHE_HOME", str(sealed))
    with pytest.raises(Invalid, match=f"^--cache-dir = {sealed}/label-studies/images: {why}"):
        Cache(size=10**9).check()
    Cache().check()


def test_a_disk_without_space_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 100 << 20})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(Invalid, match=r"must be a folder with 256 MiB free, has 100$"):
        Cache(tmp_path).check()
    assert Cache(tmp_path).room() == 50 << 20  # a half of what is free
    assert Cache(tmp_path, 10**9).room() == 100 << 20  # never more than that
    assert not list(tmp_path.iterdir())
