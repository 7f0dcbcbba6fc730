"""What the tests of image folders share."""

from pathlib import Path

import pytest

from tests.trainables.data.sources.birds import NAMES, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with birds/: three classes of four training and two test images."""
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(NAMES):
            (tmp_path / "birds" / part / name).mkdir(parents=True)
            for i in range(count):
                image = picture(12 + i, 15 - i, seed=10 * label + i)
                image.save(tmp_path / "birds" / part / name / f"bird_{i}.png")
    return tmp_path
