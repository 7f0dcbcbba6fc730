"""What the tests of studies share: a study of seconds."""

from pathlib import Path

import pytest

from trainables.data.digits import Digits
from trainables.nets.resnet import CifarResNet
from trainables.settings import Use
from trainables.trial import DataSpec, Recipe, Trial


@pytest.fixture
def trial() -> Trial:
    """A trial of three short epochs."""
    return Trial(
        data=DataSpec(source=Use(Digits), train_per_class=4),
        net=Use(CifarResNet, depth=8, width=2),
        recipe=Recipe(
            epochs=3,
            batch_size=16,
            schedule="constant",
            precision="float32",
            memory_format="contiguous",
        ),
    ).resolved(Path("/nowhere"), {})
