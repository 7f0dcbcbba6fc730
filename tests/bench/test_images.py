from io import BytesIO
from pathlib import Path

import images
import pytest
import torch


def test_the_pictures_are_files_of_imagenets_size() -> None:
    file = BytesIO()
    images.photograph(0).save(file, "JPEG", quality=images.QUALITY)
    assert 60_000 < len(file.getvalue()) < 130_000


def test_the_cache_stands_beside_decoding_and_the_plain_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, pixels in (("HEIGHT", 30), ("WIDTH", 40), ("RESIZE", 24), ("SIDE", 16)):
        monkeypatch.setattr(images, name, pixels)
    monkeypatch.setattr(images, "BATCH", 4)
    torch.set_num_threads(1)
    figures = images.figures(tmp_path, images=10, decoded=6, threads=1, repeats=2)
    names = ["cache / decoding", "cache / DataLoader", "first look / decoding"]
    names += ["from disk / decoding", "cut, too / DataLoader"]
    assert [figure.name for figure in figures] == names
    assert [figure.goal for figure in figures] == [10, 5, None, None, None]
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)
    assert len(list(tmp_path.glob("*.jpg"))) == 10
