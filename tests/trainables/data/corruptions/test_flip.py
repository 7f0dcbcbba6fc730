"""Labels that become those of a known other class."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, tensor

from trainables.data.corruptions.flip import SIMILAR, SUPERCLASSES, FlipNoise
from trainables.labels.cifar_synsets import CIFAR10, CIFAR100
from trainables.seeding import generator
from trainables.settings import Invalid, Use

TEN, HUNDRED = tuple(CIFAR10), tuple(CIFAR100)
FIVE = ("a", "b", "c", "d", "e")


def flipped(names: tuple[str, ...], y: Tensor, seed: int = 0, **settings: object) -> Tensor:
    rule: FlipNoise = Use(FlipNoise, **settings).build()
    return rule(y, names, generator(seed, "corrupt", 0))


def targets(names: tuple[str, ...], to: str | tuple[str, ...]) -> dict[str, str]:
    """What each class becomes where all labels are flipped."""
    drawn = flipped(names, torch.arange(len(names)), rate=1, to=to)
    return {name: names[label] for name, label in zip(names, drawn.tolist(), strict=True)}


def test_similar_classes_of_cifar10_are_pairs_and_frog_and_ship_stay() -> None:
    found = targets(TEN, "similar")
    for one, other in SIMILAR:
        assert (found[one], found[other]) == (other, one)
    assert (found["frog"], found["ship"]) == ("frog", "ship")


def test_superclasses_of_cifar100_are_rings_of_five() -> None:
    assert sorted(name for five in SUPERCLASSES for name in five) == sorted(HUNDRED)
    assert {len(five) for five in SUPERCLASSES} == {5}
    found = targets(HUNDRED, "superclass")
    assert found["beaver"] == "dolphin"
    assert found["whale"] == "beaver"
    assert found["tractor"] == "lawn_mower"


@pytest.mark.slow
@pytest.mark.data
def test_superclasses_are_those_of_the_real_data(cifar: Path) -> None:
    file = cifar / "cifar-100-python" / "train"
    content = pickle.loads(file.read_bytes(), encoding="latin1")
    of = dict(zip(content["fine_labels"], content["coarse_labels"], strict=True))
    groups = {frozenset(sorted(HUNDRED).index(name) for name in five) for five in SUPERCLASSES}
    assert groups == {frozenset(f for f in of if of[f] == coarse) for coarse in range(20)}


def test_the_next_class_by_index_is_a_ring() -> None:
    assert targets(FIVE, "next") == {"a": "b", "b": "c", "c": "d", "d": "e", "e": "a"}


@pytest.mark.parametrize(("to", "most"), [("random", 1), ("two random", 2)])
def test_random_classes_are_others_and_the_same_for_a_class(to: str, most: int) -> None:
    y = torch.arange(5).repeat(200)
    drawn = flipped(FIVE, y, rate=1, to=to)
    for label in range(5):
        found = set(drawn[y == label].tolist())
        assert len(found) == most
        assert label not in found
    others = [flipped(FIVE, torch.arange(5), seed, rate=1, to=to).tolist() for seed in range(5)]
    assert len(set(map(tuple, others))) > 1


def test_each_label_is_flipped_by_chance_or_exactly_so_many_of_a_class() -> None:
    y = torch.arange(5).repeat_interleave(tensor([10, 20, 30, 40, 400]))
    exact = flipped(FIVE, y, rate=0.4, to="next", exact=True) != y
    assert torch.bincount(y[exact]).tolist() == [4, 8, 12, 16, 160]
    counts = {int((flipped(FIVE, y, seed, rate=0.4, to="next") != y).sum()) for seed in range(5)}
    assert len(counts) > 1
    assert all(150 < count < 250 for count in counts)


def test_a_smaller_rate_flips_some_of_what_a_larger_one_flips_to_the_same() -> None:
    y = torch.arange(5).repeat(50)
    low, high = (flipped(FIVE, y, rate=rate, to="two random") for rate in (0.2, 0.6))
    assert low[low != y].equal(high[low != y])
    assert (high != y).sum() > (low != y).sum() > 0


@pytest.mark.parametrize(
    ("to", "known"), [("similar", "truck' of CIFAR-10"), ("superclass", "beaver' of CIFAR-100")]
)
def test_a_map_that_is_none_for_the_classes_is_refused(to: str, known: str) -> None:
    with pytest.raises(
        Invalid, match=rf"FlipNoise\.to = '{to}': must be .* class '{known} is missing"
    ):
        flipped(FIVE, tensor([0]), to=to)


def test_the_demo_knows_a_map_for_digits() -> None:
    assert Use(FlipNoise).demo()["to"] == "next"
    assert Use(FlipNoise, to="two random").demo()["to"] == "two random"


def test_a_map_of_ones_own_flips_what_it_names_and_nothing_else() -> None:
    found = targets(FIVE, ("a>b", "b > a", "c>e"))
    assert found == {"a": "b", "b": "a", "c": "e", "d": "d", "e": "e"}


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("a-b", r"FlipNoise.to: 'a-b': must be pairs of classes, like 'cat>dog'"),
        ("a>f", r"FlipNoise.to: 'a>f': class 'f' is unknown: valid are a, b, c, d, e"),
        ("x>a", r"FlipNoise.to: 'x>a': class 'x' is unknown"),
    ],
)
def test_a_map_that_is_none_for_these_classes_is_refused(pair: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        targets(FIVE, (pair,))


def test_a_word_that_is_no_map_is_refused_when_written() -> None:
    with pytest.raises(Invalid, match=r"FlipNoise.to = 'else': must be one of similar, superclass"):
        Use(FlipNoise, to="else")
