"""Statistics of labels by hand, and what is kept for their picture."""

import csv
import io
from pathlib import Path

import pytest

from tests.trainables.small import SITE, small_trial
from trainables.heads.cosine import Cosine
from trainables.heads.label_decoder import LabelDecoder
from trainables.labels.matrices.constant import ConstantMatrices
from trainables.losses.huber import Huber
from trainables.measures.label_statistics import LabelStatistics
from trainables.measures.measure import Finished, label
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.targets.label_matrix import LabelMatrix
from trainables.training.fit import fit
from trainables.trial import Trial

CONSTANT = {
    "head": Use(LabelDecoder, labels=Use(ConstantMatrices)),
    "targets": Use(LabelMatrix),
    "loss": Use(Huber),
}


def measured(trial: Trial, path: Path, **settings: int) -> tuple[dict[str, float], list[list[str]]]:
    storage, use = Storage(path), Use(LabelStatistics, **settings)
    trial = trial.set({"data.test": True, "recipe.epochs": 1})
    fit(trial, storage, SITE)
    files = storage.trial(trial.id)
    values = use.build()(Finished(trial, files, SITE))
    return values, list(csv.reader(io.StringIO(files.features(label(use)) or "")))


def test_categories_have_one_hot_labels(tmp_path: Path) -> None:
    values, rows = measured(small_trial(), tmp_path)
    # A tenth of the numbers is 1: 0.1 log2 10 + 0.9 log2 (10 / 9); two labels differ in two.
    assert values["entropy"] == pytest.approx(0.46900, abs=1e-5)
    assert values["l1"] == pytest.approx(2)
    assert values["l2"] == pytest.approx(2**0.5)
    assert rows[0] == ["label", "height", "width", *map(str, range(10))]
    assert rows[2] == ["one", "1", "10", "0", "1", *["0"] * 8]


def test_constant_matrices_have_no_entropy_and_are_apart_by_their_values(tmp_path: Path) -> None:
    values, rows = measured(small_trial(**CONSTANT), tmp_path, classes=3)
    assert values["entropy"] == 0
    # Scaled to 0 .. 1 they are i / 9: the mean difference of two of 0 .. 9 is 11 / 3.
    assert values["l1"] == pytest.approx(64 * 64 * 11 / 27, rel=1e-5)
    assert values["l2"] == pytest.approx(64 * 11 / 27, rel=1e-5)
    assert len(rows) == 1 + 3
    assert rows[1][:4] == ["zero", "64", "64", "0"]


def test_a_head_without_labels_is_refused() -> None:
    trial = small_trial(head=Use(Cosine), **{"data.test": True})
    with pytest.raises(Invalid, match=r"head = Cosine.*: must be LabelDecoder or Linear"):
        LabelStatistics.suits(trial)
