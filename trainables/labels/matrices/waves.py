"""Waves of speech: 16-bit samples that espeak-ng speaks, or that a wav file holds."""

import hashlib
import shutil
import subprocess
import wave
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from trainables.settings import Invalid, Missing, cache_folder
from trainables.storage.folder import Folder

PROGRAM = "espeak-ng"
RATE = 22050  # samples a second
FORM = f"a wav file of 16-bit PCM, mono, {RATE:,} Hz"
DIGEST = 32  # bytes of a SHA-256

Samples = NDArray[np.int16]


def program() -> Path:
    """Where espeak-ng is. Raises Missing, with what to do, where it is not installed."""
    if (found := shutil.which(PROGRAM)) is None:
        how = f"apt-get install {PROGRAM}, or give wavs, a folder with CLASS.wav of each class"
        raise Missing(f"the program {PROGRAM} is missing, which speaks the class names: {how}")
    return Path(found)


def spoken(text: str, voice: str, rate: int, pitch: int) -> Samples:
    """(n,): what espeak-ng makes of the text, at `rate` words a minute and a pitch from 0 to 99.

    A wave that an engine of this version has spoken is kept in the user's cache folder. Raises
    Missing without the engine, Invalid for a voice that the engine does not have.
    """
    if not text:  # for which the engine writes no file
        return np.zeros(0, np.int16)
    options = ["-v", voice, "-s", str(rate), "-p", str(pitch)]
    key = "\0".join((version(), *options, text))
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    place = cache_folder()
    shelf = Folder(place / "speech") if place else None
    with suppress(OSError):
        kept = (shelf.read(name) if shelf else None) or b""
        if hashlib.sha256(kept[DIGEST:]).digest() == kept[:DIGEST]:
            return np.frombuffer(kept[DIGEST:], np.int16)
    samples = _speak(text, options)
    if shelf:
        content = samples.tobytes()
        with suppress(OSError):  # as in a folder that remembers nothing
            shelf.write(name, hashlib.sha256(content).digest() + content)
    return samples


def _speak(text: str, options: list[str]) -> Samples:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        command: list[str | Path] = [program(), "-b", "1", *options, "--stdin", "-w", path]
        done = subprocess.run(command, input=text.encode(), capture_output=True)
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            valid = f"a voice that `{PROGRAM} --voices` lists"
            raise Invalid(f"Speech.voice = {options[1]}: must be {valid} ({why})")
        return read(path)


def version() -> str:
    """What identifies the engine: its version, the place of its data, its program's state."""
    stat = program().stat()
    return _version(program(), stat.st_size, stat.st_mtime_ns)


@cache
def _version(path: Path, size: int, changed: int) -> str:
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    return f"{told.stdout.strip()} {size} {changed}"


def read(path: Path) -> Samples:
    """(n,): all samples of a wav file. Raises Invalid where it has another form or is cut off."""
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getsampwidth(), file.getnchannels(), file.getframerate()
            expected = file.getnframes()
            content = file.readframes(expected)
    except (wave.Error, EOFError, OSError) as error:
        why = str(error) or "it ends too early"
        raise Invalid(f"{path} cannot be read ({why}): must be {FORM}") from None
    if form != (2, 1, RATE):
        width, channels, rate = form
        told = f"{8 * width} bits a sample, {channels} channel(s) and {rate:,} Hz"
        raise Invalid(f"{path} has {told}: must be {FORM}")
    if len(content) < 2 * expected:
        raise Invalid(f"{path} has {len(content) // 2:,} of {expected:,} samples: must be complete")
    return np.frombuffer(content, "<i2").astype(np.int16)
