"""Each check refuses a part with one thing wrong, in one line that names it."""

from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.trainables.contract import wrong
from tests.trainables.small import SITE, small_trial
from trainables.contract import CHECKS, check_declared, check_suggest
from trainables.contract.bits import bits, different
from trainables.contract.resumed import started
from trainables.heads.head import Head
from trainables.heads.linear import Linear
from trainables.losses.loss import Loss
from trainables.methods.method import Method
from trainables.nets.net import Net
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.targets.targets import Targets
from trainables.task import Task
from trainables.trial import Trial

KINDS = {"net": Net, "head": Head, "targets": Targets, "loss": Loss, "method": Method}


class Narrow(Net):
    """The pixels; it says that there is one more."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.features = task.side**2 + 1

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return x.flatten(1), (x, x, x)


class Flat(Narrow):
    """No maps of stages."""

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return F.pad(x.flatten(1), (0, 1)), ()


class Two(Linear):
    """Scores of two classes."""

    def scores(self, output: Tensor) -> Tensor:
        return output[:, :2]


class Double(Linear):
    """Scores in float64."""

    def scores(self, output: Tensor) -> Tensor:
        return output.double()


def trial_of(part: type) -> Trial:
    """The small trial with this part in its place."""
    (field,) = (field for field, kind in KINDS.items() if issubclass(part, kind))
    return small_trial(**{field: Use(part)})


def refused(check: str, part: type, path: Path) -> str:
    with pytest.raises(Invalid) as caught:
        CHECKS[check](partial(started, trial_of(part), Storage(path), SITE))
    return str(caught.value)


REFUSED = [
    ("start", wrong.Born, "Born: must start the same whatever was drawn before"),
    ("shapes", Narrow, "Narrow: its forward must give finite features, shape (20, 65); it gave (2"),
    ("shapes", Flat, "height, width) each; it gave none"),
    ("shapes", Two, "Two: its scores must be a finite number for each class, shape (20, 10); it "),
    ("shapes", Double, "Double: its scores must be float32; they are torch.float64"),
    (
        "shapes",
        wrong.Wide,
        "Wide: its forward must give one finite number an image, shape (20,); it gave (20, 10)",
    ),
    ("shapes", wrong.Infinite, "shape (20,); 2 of its numbers are not finite"),
    ("shapes", wrong.Whole, "shape (20,); it gave a float"),
    ("mass", wrong.Half, "Half: its shares must sum to 1 for mass distribution; some to 0.5"),
    ("mass", wrong.Zeros, "Zeros: its shares must be above 0 for mass positive; one is 0"),
    ("mass", wrong.Logs, "Logs: its log must give the logarithms of forward; it gave others"),
    (
        "purity",
        wrong.Counting,
        "Counting: its forward must change no state; it changed model.targets.seen",
    ),
    ("purity", wrong.Chance, "nothing seeds another; it drew from random's global one"),
    ("purity", wrong.Growing, "Growing: its forward must give the same again for the same batch"),
    ("evaluation", wrong.Dicing, "Dicing: its predict must draw from a generator of its own, "),
    ("step", wrong.Held, "Held: its update must give metrics without gradient, as by detach()"),
    ("step", wrong.Terse, "Terse: its update must give accuracy; it gave loss"),
    ("observe", wrong.Deaf, "must call targets.observe once; after 1 there were 0 calls"),
    ("observe", wrong.Endless, "Endless: its end_epoch must call targets.end_epoch once; there w"),
    ("observe", wrong.Graded, "Graded: its update must call targets.observe without gradient"),
    (
        "state",
        wrong.Drifting,
        "Drifting: its state_dict() must have all that a step depends on, as seen; after loading",
    ),
    ("state", wrong.Fading, "Fading: its state_dict() must have all that a step depends on, as s"),
    (
        "repeated",
        wrong.Stepwise,
        "Stepwise: within an epoch its forward may depend on tensors alone that change in place, "
        "or its captures must say no; where steps are repeated, epoch 2 ends with other metrics.",
    ),
    (
        "repeated",
        wrong.Unsaid,
        "Unsaid: its draws must be True, since it uses chance in a step (aten.rand.default)",
    ),
]


@pytest.mark.parametrize(
    ("check", "part", "line"), REFUSED, ids=[p.__name__ for _, p, _ in REFUSED]
)
def test_a_wrong_part_is_refused(check: str, part: type, line: str, tmp_path: Path) -> None:
    assert line in refused(check, part, tmp_path)


def test_each_check_refuses_something() -> None:
    assert {check for check, _, _ in REFUSED} == CHECKS.keys()


@pytest.mark.parametrize("check", CHECKS)
def test_a_right_part_passes(check: str, tmp_path: Path) -> None:
    CHECKS[check](partial(started, trial_of(wrong.Fine), Storage(tmp_path), SITE))


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (wrong.Silent, "Silent: its class must have a docstring; it has none"),
        (wrong.Bare, "Bare: its setting margin must have an annotation"),
    ],
)
def test_a_class_says_what_it_is_and_what_its_settings_are(part: type, line: str) -> None:
    with pytest.raises(Invalid, match=line):
        check_declared(part)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        (wrong.Mute, "Mute: its class must itself have `suggest`, or say why not in nothing_t"),
        (wrong.Settings, 'nothing_to_search = "..."; it has neither'),
        (wrong.Unknown, "Unknown: its suggest must give settings of its class, margin; it gave g"),
        (wrong.Kept, "Kept: its suggest must give all that it asks for; it left margin"),
        (wrong.Worded, "Worded: its suggest must give valid values; Worded.margin = 'narrow': mu"),
    ],
)
def test_what_a_part_offers_to_a_search_must_be_its_settings(part: type, line: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_suggest(Use(part))
    assert line in str(caught.value)


def test_bits_tell_apart_what_is_equal_but_not_the_same() -> None:
    one = {"a": [torch.tensor([0.0]), 1], "b": {"c": None}}
    other = {"a": [torch.tensor([-0.0]), 1], "b": {"c": None, "d": 2}}
    assert bits(one).keys() == {"a.0", "a.1", "b.c"}
    assert different(one, other) == ["a.0", "b.d"]
    assert different(one, one) == []
