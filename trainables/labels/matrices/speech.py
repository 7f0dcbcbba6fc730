"""Speech: the mel spectrogram of each class's spoken name (`label_representation`, section 3.1)."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.labels.matrices.embedded_speech import EmbeddedSpeech
from trainables.labels.matrices.label_matrices import SIDE, LabelMatrices
from trainables.labels.matrices.spectrogram import decibels, mel_spectrogram, resized, trimmed
from trainables.labels.matrices.waves import FORM, Samples, program, read, spoken
from trainables.labels.words import pieces
from trainables.settings import Interval, Invalid, Missing, Positive, Rows, Use, keywords_of


def spectrogram(samples: Samples, top_db: float) -> NDArray[np.float32]:
    """(64, 64) in dB below the maximum: rows are bands, low first, columns are times."""
    sound = trimmed(samples / 2**15, top_db)
    return resized(decibels(mel_spectrogram(sound)), SIDE, SIDE).astype(np.float32)


class Recording(Rows):
    """What is read of a folder of wav files, of which `path` is one."""

    def __str__(self) -> str:
        return str(self.path.parent)


class Speech(LabelMatrices):
    """What espeak-ng says for the name of a class: 64 mel bands by 64 times, from -80 to 0 dB.

    `rate` is in words a minute. Silence of `top_db` dB below the loudest is cut off at both ends.
    `wavs` is a folder with CLASS.wav of each class, which is then heard in place of the engine:
    16-bit PCM, mono, 22,050 Hz. The waves enter the id by checksum, so that another version of
    the engine gives another trial.
    """

    def __init__(
        self,
        *,
        voice: str = "en",
        rate: Annotated[int, Interval("[80, 450]")] = 175,
        pitch: Annotated[int, Interval("[0, 99]")] = 50,
        top_db: Positive = 60.0,
        wavs: str = "",  # a relative one lies under the data folder
    ) -> None:
        self.voice, self.rate, self.pitch = voice, rate, pitch
        self.top_db, self.wavs = top_db, wavs

    @classmethod
    def check(cls, *, wavs: str, **settings: Any) -> None:
        for name in ("voice", "rate", "pitch") if wavs else ():
            default = keywords_of(cls)[name].default
            if settings[name] != default:
                valid = f"left at {default!r} with wavs, which the engine does not speak"
                raise Invalid(f"{cls.__name__}.{name} = {settings[name]!r}: must be {valid}")

    @classmethod
    def files(cls, folder: Path, **settings: Any) -> dict[str, Rows]:
        speech = cls(**settings)

        def heard(names: Sequence[str]) -> bytes:
            digest = hashlib.sha256()
            for name, samples in zip(names, speech.waves(names, folder), strict=True):
                digest.update(f"{name}\0{len(samples)}\0".encode() + samples.tobytes())
            return digest.digest()

        if not speech.wavs:
            return {"voice": Rows(program(), heard)}
        root = folder / speech.wavs
        if (one := next(root.glob("*.wav"), None)) is None:
            raise Missing(f"{root} has no wav file: must hold CLASS.wav of each class, {FORM}")
        return {"wavs": Recording(one, heard)}

    @classmethod
    def demo(cls, use: Use) -> Use:
        """What the engine said for the digits, which needs no engine."""
        return Use(EmbeddedSpeech)

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        heard = self.waves(names, folder)
        return torch.from_numpy(np.stack([spectrogram(each, self.top_db) for each in heard]))

    def waves(self, names: Sequence[str], folder: Path) -> Iterator[Samples]:
        """The samples (n,) of each class. Raises Invalid for one that has none or is silent."""
        for name in names:
            samples = self._recorded(name, folder) if self.wavs else self._spoken(name)
            if not samples.any():
                valid = "the name of a class, or its wav file, must be audible"
                raise Invalid(f"the speech of class {name!r} is silent: {valid}")
            yield samples

    def _spoken(self, name: str) -> Samples:
        text = " ".join(pieces(name))
        return spoken(text, self.voice, self.rate, self.pitch)

    def _recorded(self, name: str, folder: Path) -> Samples:
        path = folder / self.wavs / f"{name}.wav"
        if not path.is_file():
            raise Missing(f"{path} is missing: class {name!r} needs {FORM} there")
        return read(path)
