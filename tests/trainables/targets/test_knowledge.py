from math import exp
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import NOWHERE, batch, out, small_task
from trainables.labels import cifar_synsets, synsets
from trainables.labels.hierarchy import edges
from trainables.settings import Invalid, Use
from trainables.targets.knowledge import Knowledge, knowledge_soft_labels, log_soft_labels

EDGES = tensor([[0, 2, 4], [2, 0, 4], [4, 4, 0]])  # a and b are siblings, c is a cousin of both


def row(*exponents: float) -> Tensor:
    powers = tensor([exp(exponent) for exponent in exponents])
    return powers / powers.sum()


def assert_strict_maximum_on_the_diagonal(g: Tensor) -> None:
    others = g.clone().fill_diagonal_(-1)
    assert (g.diagonal() > others.amax(1)).all()


def test_a_class_d_away_gets_temperature_times_decay_to_the_d_before_the_softmax() -> None:
    # d = e - 1: 1 for siblings, 3 for cousins; so c = 0.5 and 0.125, and with T = 2: 1 and 0.25.
    g = knowledge_soft_labels(EDGES, decay=0.5, temperature=2)
    assert_close(g, torch.stack([row(2, 1, 0.25), row(1, 2, 0.25), row(0.25, 0.25, 2)]))


@pytest.mark.parametrize("classes", [10, 200])
def test_among_far_classes_the_class_itself_weighs_e_to_the_temperature_and_others_one(
    classes: int,
) -> None:
    far = torch.full((classes, classes), 60).fill_diagonal_(0)
    g = knowledge_soft_labels(far, decay=0.5, temperature=2)
    assert float(g[0, 0]) == pytest.approx(exp(2) / (exp(2) + classes - 1))


def test_a_temperature_near_zero_makes_every_row_uniform() -> None:
    g = knowledge_soft_labels(EDGES, decay=0.5, temperature=1e-7)
    assert_close(g, torch.full((3, 3), 1 / 3))


def test_a_high_temperature_leaves_the_label_alone() -> None:
    assert_close(knowledge_soft_labels(EDGES, decay=0.5, temperature=1000), torch.eye(3))


@given(st.integers(2, 30), st.floats(0.01, 0.99), st.floats(0.01, 50), st.integers(0, 10**6))
@settings(deadline=None, max_examples=100)
def test_the_class_itself_is_the_strict_maximum_of_every_row(
    classes: int, decay: float, temperature: float, seed: int
) -> None:
    chance = torch.Generator().manual_seed(seed)
    upper = torch.randint(2, 25, (classes, classes), generator=chance).triu(1)
    g = knowledge_soft_labels(upper + upper.T, decay, temperature)
    assert_strict_maximum_on_the_diagonal(g)
    assert_close(g.sum(1), torch.ones(classes))


def test_in_cifar_100_by_wordnet_each_class_is_the_strict_maximum_of_its_row() -> None:
    try:
        synsets.find(NOWHERE)
    except ValueError as error:
        pytest.skip(f"WordNet is not here: {error}")
    distances = edges("wordnet", sorted(cifar_synsets.CIFAR100), NOWHERE)
    for temperature in (2, 5, 16):
        g = knowledge_soft_labels(distances, decay=0.5, temperature=temperature)
        assert_strict_maximum_on_the_diagonal(g)


def test_the_target_of_an_image_is_the_row_of_its_label(tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_text("root x\nroot y\nx a\nx b\ny c\n")
    task = small_task(folder=tmp_path, names=("a", "b", "c"))
    targets = Knowledge(task, hierarchy="tree.txt", decay=0.5, temperature=2)
    expected = torch.stack([row(0.25, 0.25, 2), row(2, 1, 0.25)])
    assert_close(targets(batch([2, 0]), out(torch.zeros(2, 3))), expected)


def test_the_soft_labels_alone_are_stored_as_they_ever_were() -> None:
    task = small_task(classes=10)
    state = Knowledge(task, hierarchy="strokes").state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {"soft": (10, 10)}


@pytest.mark.parametrize("temperature", [104.0, 200.0, 1e6, 1e30])
def test_a_soft_label_that_rounds_to_zero_has_a_logarithm(
    temperature: float, tmp_path: Path
) -> None:
    # Three edges apart: c = 0.01 ** 2 = 1e-4, so that log g = (0, -(1 - 1e-4) T).
    (tmp_path / "tree.txt").write_text("root x\nx a\nroot b\n")
    task = small_task(classes=2, folder=tmp_path, names=("a", "b"))
    targets = Knowledge(task, hierarchy="tree.txt", decay=0.01, temperature=temperature)
    said, labels = out(torch.zeros(2, 2)), batch([0, 1])
    assert_close(targets(labels, said), torch.eye(2))
    far = -0.9999 * temperature
    assert_close(targets.log(labels, said), tensor([[0.0, far], [far, 0.0]]))


@given(st.floats(0.01, 50), st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=50)
def test_elsewhere_it_is_the_logarithm_of_the_soft_label(temperature: float, decay: float) -> None:
    g, log_g = (f(EDGES, decay, temperature) for f in (knowledge_soft_labels, log_soft_labels))
    assert_close(log_g.float(), g.log())


def test_a_temperature_beyond_single_precision_is_refused() -> None:
    with pytest.raises(Invalid, match=r"Knowledge.temperature = 1e\+31: must lie in \(0, 1e30\]"):
        Use(Knowledge, temperature=1e31)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5])
def test_decay_lies_between_zero_and_one(decay: float) -> None:
    with pytest.raises(Invalid, match=r"Knowledge.decay = .*: must lie in \(0, 1\)"):
        Use(Knowledge, decay=decay)


def test_a_taxonomy_is_a_file_of_the_setting_and_the_strokes_are_none(tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_text("root a\n")
    tree = Use(Knowledge, hierarchy="tree.txt")
    assert tree.files(tmp_path) == {"hierarchy": tmp_path / "tree.txt"}
    assert Use(Knowledge, hierarchy="strokes").files(tmp_path) == {}


def test_a_taxonomy_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"hierarchy = 'tree.txt': there is no file .*tree.txt"):
        Use(Knowledge, hierarchy="tree.txt").resolved(tmp_path)


def test_on_the_digits_strokes_stand_for_any_hierarchy() -> None:
    demo = Use(Knowledge, hierarchy="wordnet", decay=0.3).demo()
    assert demo == Use(Knowledge, hierarchy="strokes", decay=0.3)
