import base64
import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.small import SITE, small_trial
from trainables.heads.word_vectors import WordVectors
from trainables.labels.words import Embedded
from trainables.measures.class_similarity import ClassSimilarity
from trainables.measures.measure import Finished, label
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.training.fit import fit

TRIAL = small_trial(head=Use(WordVectors), **{"recipe.epochs": 1})


@pytest.fixture
def trained(tmp_path: Path) -> Finished:
    storage = Storage(tmp_path)
    assert fit(TRIAL, storage, SITE).status == "finished"
    return Finished(TRIAL, storage.trial(TRIAL.id), SITE)


def test_the_highest_and_the_mean_are_of_all_pairs(trained: Finished) -> None:
    names = trained.data.names
    vectors = Use(Embedded).build()(names, SITE.folder, 0)
    pairs = [
        float(torch.cosine_similarity(vectors[i], vectors[j], dim=0))
        for i in range(10)
        for j in range(i)
    ]
    expected = {"highest": max(pairs), "mean": sum(pairs) / len(pairs)}
    assert ClassSimilarity()(trained) == pytest.approx(expected, abs=1e-5)


def test_vectors_and_training_images_of_each_class_are_kept(trained: Finished) -> None:
    ClassSimilarity(images=2)(trained)
    content = trained.files.features(label(Use(ClassSimilarity, images=2)))
    assert content
    rows = list(csv.DictReader(content.splitlines()))
    assert [row["label"] for row in rows] == list(trained.data.names)
    assert len(rows[0]) == 2 + 100
    train = trained.data.train
    first = train.images[train.rows[(train.y == 3).nonzero()[0]]][0, 0]
    pictures = rows[3]["images"].split()
    assert len(pictures) == 2
    shown = Image.open(io.BytesIO(base64.b64decode(pictures[0])))
    assert np.array_equal(np.asarray(shown), first.numpy())


def test_other_heads_are_refused() -> None:
    tested = TRIAL.set({"data.test": True})
    ClassSimilarity.suits(tested)
    with pytest.raises(Invalid, match=r"ClassSimilarity: head = Linear\(\): must be WordVectors"):
        ClassSimilarity.suits(tested.set({"head": "Linear"}))
