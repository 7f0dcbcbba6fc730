"""Wav files, and what an engine that stands in for espeak-ng says."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.labels.matrices.engine import needs_engine, stand_in, tone, write_wav
from trainables.labels.matrices.waves import read, spoken, version
from trainables.settings import Invalid, Missing

FORM = "a wav file of 16-bit PCM, mono, 22,050 Hz"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an engine, which is found there, and with what it says."""
    stand_in(tmp_path, "version 1", tone(440))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def say(text: str = "zero", voice: str = "en", rate: int = 175, pitch: int = 50) -> np.ndarray:
    return spoken(text, voice, rate, pitch)


def test_what_was_spoken_is_kept(engine: Path) -> None:
    assert (say() == tone(440)).all()
    write_wav(engine / "said.wav", tone(880))
    assert (say() == tone(440)).all()


@pytest.mark.parametrize("other", [{"voice": "de"}, {"rate": 100}, {"pitch": 9}, {"text": "one"}])
def test_anything_else_is_spoken_anew(other: dict[str, str], engine: Path) -> None:
    say()
    write_wav(engine / "said.wav", tone(880))
    assert (say(**other) == tone(880)).all()  # type: ignore[arg-type]


def test_another_engine_speaks_anew(engine: Path) -> None:
    before = say(), version()
    stand_in(engine, "version 2", tone(880))
    assert version() != before[1]
    assert (say() == tone(880)).all()


def test_a_damaged_file_is_as_one_that_is_not_there(engine: Path) -> None:
    say()
    (kept,) = (engine / "cache" / "label-studies" / "speech").iterdir()
    kept.write_bytes(kept.read_bytes()[:-2])
    write_wav(engine / "said.wav", tone(880))
    assert (say() == tone(880)).all()
    assert (say() == tone(880)).all()


@pytest.mark.parametrize("place", ["/dev/null/none", "relative"])
def test_it_speaks_where_nothing_can_be_kept(
    place: str, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    assert (say() == tone(440)).all()
    write_wav(engine / "said.wav", tone(880))
    assert (say() == tone(880)).all()


def test_without_the_engine_the_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    how = r"apt-get install espeak-ng, or give wavs, a folder with CLASS.wav of each class"
    with pytest.raises(Missing, match=f"the program espeak-ng is missing, .*: {how}"):
        say()


@needs_engine
def test_an_unknown_voice_is_named() -> None:
    valid = r"must be a voice that `espeak-ng --voices` lists \(.*voice does not exist"
    with pytest.raises(Invalid, match=rf"Speech.voice = nobody: {valid}"):
        say(voice="nobody")


@needs_engine
def test_what_is_spoken_is_no_option_of_the_engine() -> None:
    assert len(say("-h")) > 1000
    assert not np.array_equal(say("one"), say("two"))
    assert say("café").dtype == np.int16


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440))
    assert (read(tmp_path / "a.wav") == tone(440)).all()


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"rate": 44100}, r"16 bits a sample, 1 channel\(s\) and 44,100 Hz"),
        ({"width": 1}, r"8 bits a sample, 1 channel\(s\) and 22,050 Hz"),
        ({"channels": 2}, r"16 bits a sample, 2 channel\(s\) and 22,050 Hz"),
    ],
)
def test_another_form_is_refused(form: dict[str, int], told: str, tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440), **form)
    with pytest.raises(Invalid, match=rf"a.wav has {told}: must be {FORM}"):
        read(tmp_path / "a.wav")


def test_what_is_no_wav_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("zero")
    with pytest.raises(Invalid, match=rf"a.wav cannot be read \(.+\): must be {FORM}"):
        read(tmp_path / "a.wav")
    with pytest.raises(Invalid, match=r"b.wav cannot be read"):
        read(tmp_path / "b.wav")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440))
    os.truncate(tmp_path / "a.wav", 44 + 2000)
    with pytest.raises(Invalid, match=r"a.wav has 1,000 of 6,615 samples: must be complete"):
        read(tmp_path / "a.wav")
