"""Has the names of the digits spoken and keeps their spectrograms; README.md says by what.

`python -m trainables.labels.matrices.embedded.cut` writes the file that
`trainables.labels.matrices.embedded_speech` reads.
"""

import sys
from pathlib import Path

import numpy as np

from trainables.data.sources.digits import NAMES
from trainables.labels.matrices.embedded_speech import EMBEDDED, LEVELS
from trainables.labels.matrices.spectrogram import FLOOR
from trainables.labels.matrices.speech import Speech
from trainables.labels.matrices.waves import version

ENGINE = "eSpeak NG text-to-speech: 1.51 "


def cut() -> None:
    """Writes EMBEDDED: 16 bits a number, which are within 0.001 dB of it."""
    if not version().startswith(ENGINE):
        sys.exit(f"{version()}: must be {ENGINE.strip()}, whose speech the tests know")
    labels = Speech()(NAMES, Path(), 0).double().numpy()
    levels = np.round(labels * (LEVELS / -FLOOR)).astype(np.uint16)
    np.savez_compressed(EMBEDDED, names=np.array(NAMES), levels=levels)


if __name__ == "__main__":
    cut()
