from pathlib import Path

import pytest
import torch

from trainables.data.sources.digits import NAMES
from trainables.labels.matrices.embedded_speech import EMBEDDED, EmbeddedSpeech
from trainables.labels.matrices.label_matrices import made
from trainables.settings import Invalid, Use


def test_each_digit_has_a_spectrogram_of_its_own() -> None:
    labels = made(Use(EmbeddedSpeech), NAMES, Path(), 0)
    assert labels.shape == (10, 64, 64)
    assert labels.dtype == torch.float32
    assert labels.min() == -80
    assert -0.1 < labels.max() <= 0


def test_rows_follow_the_names() -> None:
    labels = EmbeddedSpeech()(("two", "one"), Path(), 0)
    assert labels.flip(0).equal(EmbeddedSpeech()(("one", "two"), Path(), 0))


def test_another_class_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Invalid, match="class 'cat' has no embedded speech: must be zero, one, two"):
        EmbeddedSpeech()(("one", "cat"), Path(), 0)


def test_the_file_is_small() -> None:
    assert EMBEDDED.stat().st_size < 120_000
