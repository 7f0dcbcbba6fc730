"""The engine that speaks: where it is installed, and one that stands in for it; and wav files."""

import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

needs_engine = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="espeak-ng is not installed: apt-get install it"
)


def write_wav(
    path: Path, samples: np.ndarray, rate: int = 22050, width: int = 2, channels: int = 1
) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def tone(pitch: int, seconds: float = 0.3) -> np.ndarray:
    """A tone of `pitch` Hz, 16 bits a sample."""
    times = np.arange(int(22050 * seconds)) / 22050
    return (8000 * np.sin(2 * np.pi * pitch * times)).astype(np.int16)


def stand_in(folder: Path, version: str, says: np.ndarray) -> None:
    """A program espeak-ng in the folder, which says the same whatever it is asked for."""
    write_wav(folder / "said.wav", says)
    program = folder / "espeak-ng"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" && exit\n'
        f'for last; do :; done; exec cp {folder}/said.wav "$last"\n'
    )
    program.chmod(0o755)
