"""The cut, made again where the engine is installed."""

from pathlib import Path

import pytest
import torch

from tests.trainables.labels.matrices.engine import needs_engine, stand_in, tone
from trainables.data.sources.digits import NAMES
from trainables.labels.matrices import embedded_speech
from trainables.labels.matrices.embedded import cut
from trainables.labels.matrices.embedded_speech import EMBEDDED
from trainables.labels.matrices.speech import Speech
from trainables.labels.matrices.waves import version


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cut, "EMBEDDED", tmp_path / "speech.npz")
    return tmp_path / "speech.npz"


@needs_engine
def test_the_engine_of_that_version_says_the_same_again(place: Path) -> None:
    if not version().startswith(cut.ENGINE):
        pytest.skip(f"the engine is another version: {version()}")
    cut.cut()
    assert place.read_bytes() == EMBEDDED.read_bytes()
    spoken = Speech()(NAMES, Path(), 0)
    kept = torch.stack(list(embedded_speech.embedded().values()))
    torch.testing.assert_close(kept, spoken, atol=0.001, rtol=0)


def test_another_version_is_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "eSpeak NG text-to-speech: 2.0", tone(440))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(SystemExit, match=r"must be eSpeak NG text-to-speech: 1.51"):
        cut.cut()
    assert not place.exists()
