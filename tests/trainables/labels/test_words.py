"""Class vectors by hand, and the embedded ones."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from tests.trainables.small import NOWHERE
from trainables.heads.word_vectors import unit_vectors
from trainables.labels.cifar_synsets import CIFAR10, CIFAR100
from trainables.labels.hierarchy import edges
from trainables.labels.words import (
    Embedded,
    Table,
    combined,
    embedded,
    pieces,
    substituted,
    used,
)
from trainables.settings import Invalid, Use

TABLE = Table({"cat": 0, "Cat": 1, "sea": 2, "lion": 3}, np.eye(4, dtype=np.float32), "the table")


def vectors(names: Sequence[str], seed: int = 0, **settings: object) -> Tensor:
    found: Tensor = Use(Embedded, **settings).build()(names, NOWHERE, seed)
    return found


def cosine(a: str, b: str) -> float:
    return float(torch.cosine_similarity(*vectors((a, b)), dim=0))


def refusal(names: Sequence[str], **settings: object) -> str:
    with pytest.raises(Invalid) as refused:
        vectors(names, **settings)
    return str(refused.value)


def test_a_name_is_split_at_underscores_hyphens_and_spaces() -> None:
    assert pieces("sea_lion of-the  sea") == ["sea", "lion", "of", "the", "sea"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Cat", ["Cat"]),  # as it is
        ("CAT", ["cat"]),  # else in lower case
        ("sea_lion", ["sea", "lion"]),  # else its pieces
        ("Sea-LION cat", ["sea", "lion", "cat"]),
    ],
)
def test_words_are_looked_up_as_they_are_then_in_lower_case_then_in_pieces(
    name: str, words: list[str]
) -> None:
    assert TABLE.words(name) == words


def test_rows_are_those_of_the_words() -> None:
    assert TABLE.rows(["lion", "cat"]).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_several_words_are_combined_by_hand() -> None:
    rows = torch.tensor([[3.0, 0.0], [0.0, 6.0]])
    assert combined(rows, "mean").tolist() == [1.5, 3]
    assert combined(rows, "sum").tolist() == [3, 6]
    assert combined(rows, "first").tolist() == [3, 0]
    # The last word weighs 2, all others 1: (3, 0) / 3 + 2 * (0, 6) / 3.
    assert combined(rows, "weights", (2, 1)).tolist() == pytest.approx([1, 4])
    assert combined(rows, "weights", (1,)).tolist() == [1.5, 3]


def test_a_missing_word_is_named_with_its_class_and_the_nearest_entries() -> None:
    assert refusal(("cat", "maple_treee")) == (
        "the embedded vocabulary has no vector of 'treee', of class 'maple_treee': its nearest "
        "entries are tree, three, thresher, or substitutes = ('maple_treee=WORDS',)"
    )
    assert "nothing there is near" in refusal(("qqqqq",))


def test_a_substitute_stands_for_a_class() -> None:
    assert substituted(("a", "b"), ("b=sea lion",)) == ["a", "sea lion"]
    given = vectors(("tabby", "dog"), substitutes=("tabby=cat",))
    assert torch.equal(given, vectors(("cat", "dog")))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": (1.0,)}, r"Embedded.weights = \(1.0,\): must be some, the first above 0"),
        ({"combine": "weights"}, r"Embedded.weights = \(\): must be some"),
        ({"combine": "weights", "weights": (0.0, 1.0)}, r"Embedded.weights = \(0.0, 1.0\)"),
        ({"substitutes": ("cat",)}, "Embedded.substitutes = 'cat': must be CLASS=WORDS"),
        ({"size": 101}, r"Embedded.size = 101: must lie in \[1, 100\]"),
    ],
)
def test_bad_settings_are_refused_when_written(settings: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        Use(Embedded, **settings)


def test_the_digest_is_of_the_words_that_are_used_alone() -> None:
    grown = np.concatenate([TABLE.vectors, np.ones((1, 4), np.float32)])
    more = Table({**TABLE.places, "dog": 4}, grown, "another file")
    assert used(["cat", "sea_lion"], more, ()) == used(["cat", "sea_lion"], TABLE, ())
    changed = Table(TABLE.places, 2 * TABLE.vectors, "the table")
    assert used(["cat"], changed, ()) != used(["cat"], TABLE, ())
    assert used(["sea", "lion"], TABLE, ()) != used(["sea_lion"], TABLE, ())


def test_the_embedded_vectors_are_of_glove() -> None:
    assert embedded().vectors.shape[1] == 100
    assert embedded().vectors.dtype == np.float32
    # The first numbers of "cat" in glove.6B.100d.txt.
    assert vectors(("cat",))[0, :4].tolist() == pytest.approx([0.23088, 0.28283, 0.6318, -0.59411])
    assert vectors(("cat",), size=3).shape == (1, 3)


def test_the_embedded_vectors_know_every_class_of_the_data_sets() -> None:
    assert vectors((*CIFAR10, *CIFAR100)).shape == (110, 100)


def test_the_embedded_vectors_make_sense() -> None:
    assert cosine("cat", "dog") > cosine("cat", "truck") + 0.1
    assert cosine("truck", "automobile") > cosine("cat", "truck") + 0.1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("centred", "least"), [(False, 0.3), (True, 0.4)])
def test_their_similarity_goes_with_wordnets(centred: bool, least: float) -> None:
    # 0.35 as they are, 0.41 centred: all words share a direction that says nothing of them.
    names = tuple(sorted(CIFAR100))
    unit = unit_vectors(vectors(names), names, centred)
    off = torch.triu_indices(100, 100, 1).unbind()
    distances = edges("wordnet", names, NOWHERE)[off]
    assert spearmanr((unit @ unit.T)[off].numpy(), -distances.numpy()).statistic > least
