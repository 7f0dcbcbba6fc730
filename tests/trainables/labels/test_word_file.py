"""Files of word vectors, in every form that gensim reads."""

import os
from pathlib import Path

import pytest
import torch
from gensim.models import KeyedVectors
from scipy.stats import spearmanr

from tests.trainables.small import small_trial
from trainables.heads.word_vectors import WordVectors, unit_vectors
from trainables.labels.cifar_synsets import CIFAR100
from trainables.labels.hierarchy import edges
from trainables.labels.word_file import WordFile
from trainables.settings import Invalid, Missing, Use

ROWS = {"zero": [1.0, 0.0, 0.0], "one": [0.0, 1.0, 0.0], "other": [0.5, 0.5, 0.0]}
NAMES = ("zero", "one")


def glove(path: Path, rows: dict[str, list[float]] = ROWS) -> Path:
    path.write_text("".join(f"{w} {' '.join(map(str, v))}\n" for w, v in rows.items()))
    return path


@pytest.fixture
def every_form(tmp_path: Path) -> Path:
    vectors = KeyedVectors(3)
    vectors.add_vectors(list(ROWS), list(ROWS.values()))
    vectors.save_word2vec_format(str(tmp_path / "words.bin"), binary=True)
    vectors.save_word2vec_format(str(tmp_path / "words.txt"))
    glove(tmp_path / "glove.txt")
    return tmp_path


@pytest.mark.parametrize("name", ["words.bin", "words.txt", "glove.txt"])
def test_every_form_is_read_and_told_apart(name: str, every_form: Path) -> None:
    vectors = Use(WordFile, path=name).build()(NAMES, every_form, 0)
    assert vectors.dtype == torch.float32
    assert vectors.tolist() == [ROWS["zero"], ROWS["one"]]


def test_a_missing_file_and_a_missing_word_are_named(every_form: Path) -> None:
    with pytest.raises(Missing, match=r"none.txt is missing"):
        Use(WordFile, path="none.txt").build()(NAMES, every_form, 0)
    with pytest.raises(Invalid, match=r"glove.txt has no vector of 'two', of class 'two'"):
        Use(WordFile, path="glove.txt").build()(("two",), every_form, 0)


@pytest.mark.parametrize("name", ["words.bin", "words.txt", "glove.txt"])
def test_a_truncated_file_is_refused(name: str, every_form: Path) -> None:
    path = every_form / name
    os.truncate(path, path.stat().st_size - 6)
    with pytest.raises(Invalid, match=f"{name} cannot be read as .* must be complete"):
        Use(WordFile, path=name).build()(NAMES, every_form, 0)


def test_uneven_rows_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    glove(tmp_path / "uneven.txt", ROWS | {"one": [1.0, 0.0]})
    with pytest.raises(Invalid, match=r"uneven.txt cannot be read as glove"):
        Use(WordFile, path="uneven.txt").build()(NAMES, tmp_path, 0)
    glove(tmp_path / "one.txt", ROWS | {"one": [1.0]})
    with pytest.raises(Invalid, match=r"one.txt has one number for 'one': must be 3 in each row"):
        Use(WordFile, path="one.txt").build()(NAMES, tmp_path, 0)
    (tmp_path / "empty.txt").touch()
    with pytest.raises(Invalid, match=r"empty.txt is empty"):
        Use(WordFile, path="empty.txt").build()(NAMES, tmp_path, 0)


def digits(path: Path, **changes: list[float]) -> Path:
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    rows = {name: torch.eye(10)[i].tolist() for i, name in enumerate(names)}
    return glove(path, rows | changes)


def test_the_rows_that_are_used_enter_the_id_and_nothing_else_of_the_file(tmp_path: Path) -> None:
    def identity(name: str) -> str:
        trial = small_trial().but(head=Use(WordVectors, vectors=Use(WordFile, path=name)))
        return trial.resolved(tmp_path, {}).id

    digits(tmp_path / "a.txt")
    digits(tmp_path / "b.txt", ten=[1.0] * 9 + [2.0])
    digits(tmp_path / "c.txt", nine=[1.0] * 9 + [2.0])
    assert identity("a.txt") == identity("b.txt") != identity("c.txt")


def test_its_demo_is_embedded() -> None:
    demo = Use(WordFile, path="x", combine="first").demo()
    assert (demo.name, demo["combine"]) == ("Embedded", "first")


# What the real file has in place of some names: plurals, and the first word of two.
PLURALS = ("apple", "bottle", "bowl", "can", "cup", "mushroom", "orange", "orchid", "pear", "plate")
FIRST = ("aquarium_fish", "lawn_mower", "maple_tree", "oak_tree", "palm_tree", "pine_tree")
CUT = (
    *(f"{name}={name}s" for name in (*PLURALS, "rose", "sunflower", "tulip")),
    *(f"{name}={name.split('_')[0]}" for name in (*FIRST, "willow_tree", "sweet_pepper")),
    *("poppy=poppies", "keyboard=computer"),
)


@pytest.mark.data
@pytest.mark.usefixtures("database")
def test_the_real_vectors_know_cifar_100_and_go_with_wordnet(archives: Path) -> None:
    names = tuple(sorted(CIFAR100))
    use = Use(WordFile, path="glove/glove.6B.50d.cifar.txt", substitutes=CUT)
    given = use.build()(names, archives, 0)
    assert given.shape == (100, 50)
    off = torch.triu_indices(100, 100, 1).unbind()
    distances = edges("wordnet", names, archives)[off]

    def correlation(centred: bool) -> float:
        unit = unit_vectors(given, names, centred)
        return float(spearmanr((unit @ unit.T)[off].numpy(), -distances.numpy()).statistic)

    assert correlation(centred=False) > 0.35  # 0.375
    assert correlation(centred=True) > 0.4  # 0.407
