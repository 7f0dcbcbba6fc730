import csv
import math
from pathlib import Path

import pytest
import torch
from sklearn.manifold import TSNE
from torch import Tensor
from torch.testing import assert_close

from tests.trainables.measures.conftest import TRIAL
from tests.trainables.small import small_trial
from trainables.measures.measure import Finished, label
from trainables.measures.separation import Separation
from trainables.settings import Invalid, Use
from trainables.storage import names
from trainables.storage.storage import Storage
from trainables.storage.trial_files import TrialFiles


def by_hand(x: Tensor, y: Tensor) -> float:
    """The mean of (b - a) / max(a, b), image by image; 0 of one alone (Rousseeuw 1987)."""
    shares = []
    for i in range(len(x)):
        far = (x - x[i]).norm(dim=1)
        own = y == y[i]
        if own.sum() == 1:
            shares.append(0.0)
            continue
        a = float(far[own].sum() / (own.sum() - 1))
        b = min(float(far[y == c].mean()) for c in y.unique() if c != y[i])
        shares.append((b - a) / max(a, b))
    return sum(shares) / len(shares)


@pytest.fixture
def own(finished: Finished, tmp_path: Path) -> Finished:
    """The same trial, on a shelf that may be written to."""
    shelf = Storage(tmp_path).trial(TRIAL.id).shelf
    content = finished.files.shelf.read("model.pt")
    assert content
    shelf.write("model.pt", content)
    return Finished(TRIAL, TrialFiles(shelf), finished.site)


def test_it_is_the_silhouette_of_the_first_images_features(own: Finished) -> None:
    x = torch.cat([batch.x for batch in own.pixels()])[:60]
    with torch.no_grad():
        features = own.method().model(own.normalised(x)).features.double()
    expected = by_hand(features, own.test.y[:60])
    found = Separation(images=60, perplexity=5.0)(own)
    assert found == {"silhouette": pytest.approx(expected, abs=1e-5)}


def test_the_map_has_a_dot_an_image_with_its_class_in_their_order(own: Finished) -> None:
    Separation(images=60, perplexity=5.0)(own)
    name = names.features(label(Use(Separation, images=60, perplexity=5.0)))
    assert own.files.shelf.names("features-*") == [name]
    content = own.files.shelf.read(name)
    assert content
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert list(rows[0]) == ["x", "y", "label"]
    assert [row["label"] for row in rows] == [own.data.names[c] for c in own.test.y[:60].sort()[0]]
    assert all(math.isfinite(float(row[axis])) for row in rows for axis in "xy")
    assert len({(row["x"], row["y"]) for row in rows}) > 50


def test_the_images_of_a_class_are_in_the_order_of_the_test_set(own: Finished) -> None:
    Separation(images=200, perplexity=5.0)(own)
    name = names.features(label(Use(Separation, images=200, perplexity=5.0)))
    content = own.files.shelf.read(name)
    assert content
    rows = list(csv.DictReader(content.decode().splitlines()))
    x = torch.cat([batch.x for batch in own.pixels()])[:200]
    with torch.no_grad():
        features = own.method().model(own.normalised(x)).features
    plane = TSNE(perplexity=5.0, init="pca", random_state=0).fit_transform(features.numpy())
    found = torch.tensor([[float(row[axis]) for axis in "xy"] for row in rows])
    order = own.test.y[:200].argsort(stable=True)
    assert_close(found, torch.from_numpy(plane)[order], rtol=1e-3, atol=1e-3)


def test_the_same_settings_give_the_same_map(own: Finished) -> None:
    name = names.features(label(Use(Separation, images=60)))
    maps = []
    for _ in range(2):
        Separation(images=60)(own)
        maps.append(own.files.shelf.read(name))
    assert maps[0] == maps[1] is not None


def test_with_fewer_images_than_neighbours_it_is_refused() -> None:
    Separation.suits(TRIAL, images=31, perplexity=30.0, at=1.0)
    with pytest.raises(Invalid, match=r"perplexity = 30.0: must be less than 30, the images"):
        Separation.suits(TRIAL, images=30, perplexity=30.0, at=1.0)
    with pytest.raises(Invalid, match="must be less than 597, the images"):
        Separation.suits(TRIAL, images=5000, perplexity=600.0, at=1.0)


def test_an_epoch_that_is_not_kept_is_refused_and_a_kept_one_is_looked_at() -> None:
    kept = {"data.test": True, "recipe.epochs": 10, "recipe.keep": 5}
    for at, valid in ((0.2, True), (0.6, True), (1.0, True), (0.3, False), (0.5, False)):
        use = Use(Separation, images=20, perplexity=5.0, at=at)
        if valid:
            Separation.suits(small_trial(**kept), **dict(use.items))
        else:
            with pytest.raises(Invalid, match=r"Separation.at = .*: must be the share of a kept"):
                Separation.suits(small_trial(**kept), **dict(use.items))
