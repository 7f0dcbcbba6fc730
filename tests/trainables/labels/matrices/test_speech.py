"""Speech of the installed engine, of one that stands in for it, and of wav files."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.trainables.labels.matrices.engine import needs_engine, stand_in, tone, write_wav
from trainables.data.sources.digits import NAMES
from trainables.labels.cifar_synsets import CIFAR10, CIFAR100
from trainables.labels.matrices.constant import ConstantMatrices
from trainables.labels.matrices.embedded_speech import EmbeddedSpeech
from trainables.labels.matrices.label_matrices import made
from trainables.labels.matrices.speech import Speech
from trainables.labels.matrices.statistics import distances, entropy
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.settings import Invalid, Missing, Use, flat, identity

HERE = Path()
WORDS = st.sampled_from(sorted({*CIFAR10, *CIFAR100, *NAMES}))
PITCHES = {"cat": 440, "dog": 660, "sea_lion": 880}


def labels(*names: str, folder: Path = HERE, **settings: object) -> Tensor:
    found: Tensor = Use(Speech, **settings).build()(names, folder, 0)
    return found


def sum_of(folder: Path, *names: str, **settings: object) -> dict[str, str]:
    return dict(Use(Speech, **settings).resolved(folder, lambda: names).checksums or ())


@pytest.fixture
def wavs(tmp_path: Path) -> Path:
    """A data folder with wav files in "said"."""
    (tmp_path / "said").mkdir()
    for name, pitch in PITCHES.items():
        write_wav(tmp_path / "said" / f"{name}.wav", tone(pitch))
    return tmp_path


# The installed engine


@needs_engine
@settings(deadline=None, max_examples=25)
@given(st.lists(WORDS, min_size=2, max_size=5, unique=True))
def test_every_word_has_a_matrix_of_its_own_of_middling_entropy(names: list[str]) -> None:
    found = made(Use(Speech), tuple(names), HERE, 0)
    assert found.shape == (len(names), 64, 64)
    assert found.dtype == torch.float32
    assert -80 <= found.min() < -70
    assert -1 < found.max() <= 0
    assert distances(found, 1).min() > 0
    assert distances(found, 2).min() > 0
    constant, uniform = (
        entropy(use.build()(names, HERE, 0), bins=256)
        for use in (Use(ConstantMatrices), Use(UniformMatrices))
    )
    assert entropy(found, bins=256).min() > constant.max() + 6
    assert entropy(found, bins=256).max() < uniform.min()


@pytest.mark.slow
@needs_engine
def test_a_word_is_spoken_the_same_again_and_in_another_process() -> None:
    one, again = labels("zero", "zero")
    assert one.equal(again)
    program = (
        "import hashlib; from pathlib import Path; from trainables.labels.matrices.speech import "
        "Speech; print(hashlib.sha256(Speech()(['zero', 'sea_lion'], Path(), 0).numpy()"
        ".tobytes()).hexdigest())"
    )
    nowhere = {"XDG_CACHE_HOME": "relative", "PATH": "/bin:/usr/bin:/usr/local/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=nowhere, capture_output=True, text=True, check=True
    )
    here = labels("zero", "sea_lion").numpy().tobytes()
    assert done.stdout.strip() == hashlib.sha256(here).hexdigest()


@needs_engine
def test_underscores_and_hyphens_are_spaces() -> None:
    one, two, three = labels("sea_lion", "sea-lion", "sea lion")
    assert one.equal(two)
    assert one.equal(three)
    with pytest.raises(Invalid, match="classes 'sea_lion' and 'sea-lion' have one label"):
        made(Use(Speech), ("sea_lion", "cat", "sea-lion"), HERE, 0)


@needs_engine
@pytest.mark.parametrize("other", [{"voice": "en-us"}, {"rate": 120}, {"pitch": 80}])
def test_every_setting_of_the_engine_is_heard(other: dict[str, object]) -> None:
    assert not labels("zero").equal(labels("zero", **other))
    assert sum_of(HERE, "zero") != sum_of(HERE, "zero", **other)


@needs_engine
@pytest.mark.parametrize("name", ["", "__", "?!"])
def test_a_name_that_cannot_be_spoken_is_named(name: str) -> None:
    with pytest.raises(Invalid, match=r"the speech of class .* is silent") as caught:
        labels("zero", name)
    assert repr(name) in str(caught.value)


@needs_engine
@pytest.mark.slow
def test_a_hundred_classes_are_spoken_in_half_a_minute_and_then_there_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = sorted(CIFAR100)
    start = time.monotonic()
    labels(*names)
    assert time.monotonic() - start < 30
    start = time.process_time()  # the machine may be busy
    labels(*names)
    assert time.process_time() - start < 1


# An engine that stands in


def test_what_the_engine_says_to_the_classes_enters_the_id_in_place_of_the_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    stand_in(tmp_path, "version 1", tone(440))
    use = Use(Speech).resolved(HERE, lambda: ("zero",))
    one = dict(identity("", use))
    assert one.keys() == {"voice"}
    assert dict(flat("", use))["voice.sha256"] == one["voice"]
    assert sum_of(HERE, "one") != one
    stand_in(tmp_path, "version 2", tone(440))
    assert sum_of(HERE, "zero") == one
    stand_in(tmp_path, "version 3", tone(441))
    assert sum_of(HERE, "zero") != one


def test_a_missing_engine_is_found_before_any_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="the program espeak-ng is missing"):
        sum_of(HERE, "zero")


# Wav files


def test_wav_files_are_heard_in_place_of_the_engine(wavs: Path) -> None:
    found = labels("dog", "sea_lion", folder=wavs, wavs="said")
    assert found.shape == (2, 64, 64)
    dog, sea_lion = found.mean(2).argmax(1)  # the loudest band of each
    assert dog < sea_lion
    assert labels("dog", folder=HERE, wavs=str(wavs / "said"))[0].equal(found[0])


def test_the_files_of_the_classes_enter_the_id_and_no_others(wavs: Path) -> None:
    before = sum_of(wavs, "cat", "dog", wavs="said")
    assert before.keys() == {"wavs"}
    write_wav(wavs / "said" / "sea_lion.wav", tone(100))
    (wavs / "said").rename(wavs / "moved")
    assert sum_of(wavs, "cat", "dog", wavs="moved") == before
    assert sum_of(wavs, "dog", "cat", wavs="moved") != before
    write_wav(wavs / "moved" / "dog.wav", tone(100))
    assert sum_of(wavs, "cat", "dog", wavs="moved") != before


def test_a_message_of_another_node_names_the_folder(wavs: Path) -> None:
    assert str(Use(Speech, wavs="said").files(wavs)["wavs"]) == str(wavs / "said")


def test_a_class_without_a_file_is_named(wavs: Path) -> None:
    with pytest.raises(Missing, match=r"horse.wav is missing: class 'horse' needs a wav file of"):
        sum_of(wavs, "cat", "horse", wavs="said")
    with pytest.raises(Missing, match=r"none has no wav file: must hold CLASS.wav of each class"):
        sum_of(wavs, "cat", wavs="none")


def test_a_file_of_another_form_or_silence_is_named(wavs: Path) -> None:
    write_wav(wavs / "said" / "cat.wav", tone(440), rate=16000)
    with pytest.raises(Invalid, match=r"cat.wav has .* 16,000 Hz: must be a wav file of 16-bit"):
        sum_of(wavs, "cat", wavs="said")
    write_wav(wavs / "said" / "dog.wav", 0 * tone(440))
    with pytest.raises(Invalid, match=r"the speech of class 'dog' is silent: .* must be audible"):
        sum_of(wavs, "dog", wavs="said")


def test_settings_of_the_engine_go_with_no_wav_files() -> None:
    valid = "must be left at 175 with wavs, which the engine does not speak"
    with pytest.raises(Invalid, match=f"Speech.rate = 120: {valid}"):
        Use(Speech, wavs="said", rate=120)
    assert Use(Speech, wavs="said", top_db=30)["top_db"] == 30


def test_its_demo_is_embedded_and_needs_no_engine() -> None:
    assert Use(Speech, wavs="said").demo() == Use(EmbeddedSpeech)
