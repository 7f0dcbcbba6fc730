"""What every method that learns from clean images asks of its trial."""

import pytest
import torch

from tests.trainables.small import pixel_method, small_trial
from trainables.methods.l2rw import L2RW
from trainables.settings import Invalid, Use
from trainables.targets.smooth import Smooth

META = {"data.meta_per_class": 1}


@pytest.mark.parametrize(
    ("precision", "kind"), [("float32", torch.float32), ("recipe", torch.bfloat16)]
)
def test_sums_are_taken_in_float32_unless_the_recipes_precision_is_asked_for(
    precision: str, kind: torch.dtype
) -> None:
    formats = {"recipe.precision": "bfloat16"}
    built = pixel_method(L2RW, [0, 1, 2], {"precision": precision}, **META, **formats)
    assert built.model(torch.zeros(1, 1, 2, 2)).output.dtype == kind


def test_it_has_targets_and_loss_of_its_own() -> None:
    with pytest.raises(Invalid, match="must be OneHot: L2RW has targets of its own"):
        small_trial(method=Use(L2RW), targets=Use(Smooth), **META)
