"""By hand, and against librosa and scikit-image where they are installed."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.trainables.labels.matrices.engine import tone
from trainables.labels.matrices.spectrogram import (
    decibels,
    mel_filters,
    mel_spectrogram,
    resized,
    trimmed,
)

CHANCE = np.random.default_rng(0)
LOUD = CHANCE.uniform(-1, 1, 16 * 512)
SILENT = np.zeros(16 * 512)


def spectrum(wave: Any) -> Any:
    return decibels(mel_spectrogram(wave))


def test_the_ends_are_cut_one_frame_around_what_is_heard() -> None:
    # The frame around 15 * 512 is the first that reaches the loud part, that around 33 * 512 the
    # last.
    wave = np.concatenate([SILENT, LOUD, SILENT])
    assert_allclose(trimmed(wave, 60), wave[15 * 512 : 34 * 512])


def test_what_is_less_than_top_db_below_the_loudest_is_kept() -> None:
    wave = np.concatenate([LOUD / 100, LOUD])  # 40 dB apart
    assert len(trimmed(wave, 60)) == len(wave)
    assert len(trimmed(wave, 30)) < 20 * 512


def test_filters_are_triangles_over_slaneys_scale() -> None:
    # Corners 0, 200, 400, ... 1,000 Hz, and 10 Hz from one frequency to the next: peaks of 1 / 200.
    filters = mel_filters(20480, 4, 1000).toarray()
    assert filters.shape == (4, 1025)
    assert_allclose(filters[0, [0, 10, 20, 30, 40]], [0, 1 / 400, 1 / 200, 1 / 400, 0], atol=1e-12)
    assert_allclose(filters[3].argmax(), 80)
    assert_allclose(filters.sum(1) * 10, 1)
    # Above, the centre of 0 and 42 mel is 21: 1,000 Hz times 6.4 ** (6 / 27).
    assert mel_filters(20480, 1, 6400).toarray()[0].argmax() == round(100 * 6.4 ** (6 / 27))


def test_a_tone_is_loudest_in_the_band_around_it() -> None:
    power = mel_spectrogram(tone(440) / 2**15)
    assert power.shape == (64, 1 + len(tone(440)) // 256)
    frequencies = mel_filters(22050, 64, 8000).toarray().argmax(1) * 22050 / 2048
    assert abs(frequencies[power.sum(1).argmax()] - 440) < 30


def test_decibels_reach_from_minus_80_to_0() -> None:
    assert_allclose(decibels(np.array([1, 0.1, 1e-6, 1e-9, 0])), [0, -10, -60, -80, -80])


def test_the_volume_does_not_matter() -> None:
    assert_allclose(spectrum(LOUD), spectrum(LOUD / 8))


def test_resizing_by_hand() -> None:
    image = CHANCE.uniform(size=(3, 5))
    assert_allclose(resized(image, 3, 5), image)
    assert_allclose(resized(np.full((7, 9), 3.0), 4, 16), np.full((4, 16), 3.0))
    # Places -1/4, 1/4, 3/4 and 5/4 of a row, whose ends are mirrored at the middle of a pixel.
    assert_allclose(resized(np.array([[0.0, 1.0]]), 1, 4), [[0.25, 0.25, 0.75, 0.75]])


@pytest.mark.parametrize("size", [1500, 6615, 22050])
def test_spectrograms_are_librosas(size: int) -> None:
    librosa = pytest.importorskip("librosa", reason="librosa is not installed: pip install it")
    wave = np.random.default_rng(size).normal(size=size) * np.hanning(size) ** 4
    wave = wave.astype(np.float32)
    cut, _ = librosa.effects.trim(wave)
    assert_allclose(trimmed(wave, 60), cut)
    assert_allclose(
        mel_filters(22050, 64, 8000).toarray(),
        librosa.filters.mel(sr=22050, n_fft=2048, n_mels=64, fmax=8000),
        atol=1e-8,
    )
    power = librosa.feature.melspectrogram(
        y=cut, sr=22050, hop_length=256, n_mels=64, fmax=8000, pad_mode="reflect"
    )
    assert_allclose(mel_spectrogram(cut.astype(float)), power, rtol=1e-3, atol=1e-6)
    expected = librosa.power_to_db(power, ref=np.max)
    assert_allclose(spectrum(cut.astype(float)), expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(64, 20), (64, 200), (80, 64), (30, 500)])
def test_resizing_is_scikit_images(shape: tuple[int, int]) -> None:
    transform = pytest.importorskip(
        "skimage.transform", reason="scikit-image is not installed: pip install it"
    )
    image = np.random.default_rng(0).uniform(-80, 0, shape)
    assert_allclose(resized(image, 64, 64), transform.resize(image, (64, 64)), atol=1e-6)
