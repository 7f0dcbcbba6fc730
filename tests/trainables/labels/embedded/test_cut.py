"""The cut of a small archive; that of the real one was compared byte for byte by hand."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from trainables.labels.embedded import cut

ROW = [i / 100 for i in range(100)]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    vectors = {"cat": [*ROW, 9.0, 1], "zero": [*ROW[::-1], 9.0, 2], "unasked": [*ROW, 9.0, 3]}
    content = json.dumps({"vectors": vectors}).encode()
    with tarfile.open(tmp_path / "words.tgz", "w:gz") as tar:
        member = tarfile.TarInfo(cut.MEMBER)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    sha1 = hashlib.sha1((tmp_path / "words.tgz").read_bytes()).hexdigest()
    monkeypatch.setattr(cut, "SHA1", sha1)
    monkeypatch.setattr(cut, "EMBEDDED", tmp_path / "cut.npz")
    return tmp_path / "words.tgz"


def test_the_words_of_the_classes_are_kept_without_norm_and_rank(archive: Path) -> None:
    cut.cut(archive)
    with np.load(archive.with_name("cut.npz")) as file:
        assert file["words"].tolist() == ["cat", "zero"]
        np.testing.assert_array_equal(file["vectors"], np.float32([ROW, ROW[::-1]]))


def test_the_same_archive_gives_the_same_bytes(archive: Path) -> None:
    cut.cut(archive)
    first = archive.with_name("cut.npz").read_bytes()
    cut.cut(archive)
    assert archive.with_name("cut.npz").read_bytes() == first


def test_another_archive_is_refused(archive: Path) -> None:
    archive.write_bytes(b"")
    with pytest.raises(SystemExit, match="its SHA-1 must be"):
        cut.cut(archive)


def test_every_word_of_a_class_is_wanted() -> None:
    assert {"zero", "aquarium_fish", "aquarium", "fish", "sea lion", "sea", "lion"} <= cut.wanted()
