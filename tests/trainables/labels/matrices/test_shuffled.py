from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch

from trainables.data.sources.digits import NAMES
from trainables.labels.matrices.embedded_speech import EmbeddedSpeech
from trainables.labels.matrices.label_matrices import LabelMatrices
from trainables.labels.matrices.shuffled import ShuffledSpeech, shuffled
from trainables.settings import Of, Record, Use, map_settings


@dataclass(frozen=True)
class Holder(Record):
    labels: Annotated[Use, Of(LabelMatrices)]


def test_whole_columns_move_and_in_another_order_for_each_class() -> None:
    labels = torch.arange(64.0).expand(2, 3, 64)
    found = shuffled(labels, 0)
    assert found[0, 0].sort().values.equal(labels[0, 0])
    assert found[0, 0].equal(found[0, 2])
    assert not found[0].equal(found[1])
    assert not found[0].equal(labels[0])
    assert not found.equal(shuffled(labels, 1))


def test_the_numbers_are_those_of_the_speech() -> None:
    speech = EmbeddedSpeech()(NAMES, Path(), 0)
    found = ShuffledSpeech(speech=Use(EmbeddedSpeech))(NAMES, Path(), 0)
    assert found.shape == (10, 64, 64)
    assert found.sort(2).values.equal(speech.sort(2).values)
    assert found.equal(ShuffledSpeech(speech=Use(EmbeddedSpeech))(NAMES, Path(), 7))


def test_at_demo_scale_its_speech_is_the_embedded() -> None:
    holder = Holder(Use(ShuffledSpeech, seed=3))
    demo = map_settings(holder, lambda part: part.demo() if isinstance(part, Use) else part)
    assert demo.labels == Use(ShuffledSpeech, seed=3, speech=Use(EmbeddedSpeech))
