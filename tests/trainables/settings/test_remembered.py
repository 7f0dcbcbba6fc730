"""The file that keeps digests between commands."""

from pathlib import Path

import pytest

from trainables.settings.remembered import Remembered

ONE = {b"k" * 16: b"d" * 32}
TWO = {**ONE, b"K" * 16: b"D" * 32}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/label-studies"


def write(about: str, digests: dict[bytes, bytes]) -> None:
    memory = Remembered(about)
    with memory.alone():
        memory.write(digests)


def test_what_is_written_is_remembered_about_these_files_alone(cache: Path) -> None:
    write("birds", TWO)
    assert Remembered("birds").read() == TWO
    assert Remembered("flowers").read() == {}
    write("birds", ONE)
    assert Remembered("birds").read() == ONE


def test_nothing_is_left_beside_it_but_its_lock(cache: Path) -> None:
    write("birds", ONE)
    assert sorted(path.suffix for path in cache.iterdir()) == ["", ".lock"]
    assert cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", [0, 30, -1])
@pytest.mark.parametrize("kind", ["changed", "cut"])
def test_a_damaged_file_remembers_nothing(place: int, kind: str, cache: Path) -> None:
    write("birds", TWO)
    (path,) = (path for path in cache.iterdir() if not path.suffix)
    content = bytearray(path.read_bytes())
    if kind == "cut":
        del content[place:]
    else:
        content[place] ^= 1
    path.write_bytes(content)
    assert Remembered("birds").read() == {}
    write("birds", TWO)
    assert Remembered("birds").read() == TWO


def test_where_nothing_can_be_written_nothing_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        write("birds", ONE)
        assert Remembered("birds").read() == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_without_xdg_it_lies_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    write("birds", ONE)
    assert len(list(tmp_path.glob(".cache/label-studies/*"))) == 2
