from collections.abc import Iterator
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method, small_trial
from trainables.data.data import Batch
from trainables.methods.self_learning import SelfLearning, closeness, density, prototypes
from trainables.settings import Invalid, Use
from trainables.targets.one_hot import OneHot
from trainables.targets.smooth import Smooth
from trainables.task import Out

# Three images alike, and one apart.
S = tensor(
    [
        [1.0, 0.9, 0.8, 0.1],
        [0.9, 1.0, 0.6, 0.2],
        [0.8, 0.6, 1.0, 0.3],
        [0.1, 0.2, 0.3, 1.0],
    ]
)


class Noted(OneHot):
    """Notes the labels that it observes."""

    def observe(self, batch: Batch, out: Out) -> None:
        self.seen = batch.y.tolist()


def learning(y: list[int], epoch: int = 1, settings: dict[str, Any] | None = None) -> SelfLearning:
    """Past its start."""
    built: SelfLearning = pixel_method(SelfLearning, y, {"start": 1, **(settings or {})})
    built.epoch = epoch
    return built


def sweep(y: list[int], features: Tensor) -> Iterator[Batch]:
    for i, image in enumerate(features.view(-1, 1, 1, 2, 2)):
        yield Batch(image, tensor(y[i : i + 1]), tensor([i]))


def test_the_density_counts_who_is_more_similar_than_the_threshold_less_who_is_less() -> None:
    # In order 0.1 0.1 0.2 0.2 0.3 0.3 0.6 ...: at 40 % of the 16 the seventh, 0.6.
    assert density(S, 0.4).tolist() == [2, 1, 1, -2]
    assert density(S, 1).tolist() == [-3, -3, -3, -3]


def test_how_close_an_image_is_to_a_denser_one() -> None:
    assert_close(closeness(S, tensor([2.0, 1, 1, -2])), tensor([0.1, 0.9, 0.8, 0.3]))


@pytest.mark.parametrize(
    ("p", "limit", "expected"),
    [
        (1, 0.95, [0]),
        (3, 0.95, [0, 1, 2]),
        (3, 0.85, [0, 2, 3]),  # 1 is too much like 0
        (4, 0.85, [0, 2, 3, 1]),
        (9, 0.95, [0, 1, 2, 3]),
    ],
)
def test_prototypes_are_dense_and_unlike(p: int, limit: float, expected: list[int]) -> None:
    assert prototypes(S, p, 0.4, limit).tolist() == expected


def test_of_equally_dense_images_the_first_are_prototypes() -> None:
    assert prototypes(torch.ones(100, 100), 8, 0.4, 0.95).tolist() == list(range(8))


@torch.no_grad()
def test_similarity_is_of_directions_and_not_of_lengths() -> None:
    y = [0, 0, 1]  # the second image is (3, 1): at 18 degrees to (1, 0), at 27 to (9, 9)
    features = tensor([[1.0, 0, 0, 0], [3.0, 1, 0, 0], [9.0, 9, 0, 0]])
    built = learning(y, settings={"p": 1})
    built.start_epoch(1, lambda: sweep(y, features))
    assert built.corrected.tolist() == [0, 0, 1]


@torch.no_grad()
def test_a_corrected_label_is_the_class_with_the_most_similar_prototypes() -> None:
    right, up, between = [9.0, 1, 0, 0], [0.0, 2, 0, 0], [5.0, 4, 0, 0]
    features = tensor([right, right, right, up, up, up, right, between])
    y = [0, 0, 0, 1, 1, 1, 1, 1]
    built = learning(y, settings={"p": 1})
    built.start_epoch(1, lambda: sweep(y, features))
    assert built.corrected.tolist() == [0, 0, 0, 1, 1, 1, 0, 0]


@torch.no_grad()
def test_similarity_is_to_the_mean_of_all_prototypes_and_not_to_the_nearest() -> None:
    y = [0, 0, 1, 1]  # 1's own are opposite: their mean is no direction
    features = tensor([[0.8, 0.6, 0, 0], [0.6, 0.8, 0, 0], [1.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    built = learning(y, settings={"p": 2})
    built.start_epoch(1, lambda: sweep(y, features))
    assert built.corrected.tolist() == [0, 0, 0, 1]


@torch.no_grad()
def test_a_class_without_images_gets_none() -> None:
    y = [0, 0, 2]
    built = learning(y)
    built.start_epoch(1, lambda: sweep(y, torch.eye(4)[:3] - 2))
    assert 1 not in built.corrected.tolist()


@torch.no_grad()
def test_prototypes_are_drawn_anew_each_epoch_but_the_same_again() -> None:
    torch.manual_seed(0)
    y, features = [i % 3 for i in range(60)], torch.rand(60, 4)
    found = []
    for epoch in (1, 2, 1):
        built = learning(y, settings={"m": 2, "p": 1})
        built.start_epoch(epoch, lambda: sweep(y, features))
        found.append(built.corrected.tolist())
    assert found[0] == found[2] != found[1]


def test_before_its_start_it_is_ordinary_training_without_a_sweep() -> None:
    built = learning([0, 1], epoch=0)
    built.start_epoch(0, lambda: pytest.fail("swept"))
    built.corrected.fill_(2)
    assert_close(built.update(batch([0], X), lr=0.3)["loss"], tensor(log(3)))
    weights = built.model.head.classifier.weight.detach()[:, 0]
    assert_close(weights, 0.3 * tensor([2 / 3, -1 / 3, -1 / 3]))


def test_then_the_loss_is_of_both_labels() -> None:
    built = learning([0, 1], settings={"alpha": 0.25})
    built.corrected.fill_(2)
    built.update(batch([0], X), lr=0.3)
    weights = built.model.head.classifier.weight.detach()[:, 0]
    assert_close(weights, 0.3 * (tensor([0.75, 0, 0.25]) - 1 / 3))


def test_targets_give_both_labels_and_observe_the_given_one() -> None:
    settings = {"alpha": 0.25, "start": 1}
    built = pixel_method(SelfLearning, [0, 1], settings, targets=Use(Smooth, epsilon=0.3))
    built.epoch = 1
    built.corrected.fill_(2)
    built.update(batch([0], X), lr=0.3)
    weights = built.model.head.classifier.weight.detach()[:, 0]
    expected = 0.7 * tensor([0.75, 0, 0.25]) + 0.1 - 1 / 3
    assert_close(weights, 0.3 * expected)
    noted = pixel_method(SelfLearning, [0, 1], settings, targets=Use(Noted))
    noted.epoch = 1
    noted.corrected.fill_(2)
    noted.update(batch([0], X), lr=0.3)
    assert noted.model.targets.seen == [0]


def test_defaults_are_the_papers() -> None:
    settings = dict(Use(SelfLearning).items)
    assert (settings["m"], settings["p"], settings["alpha"]) == (1280, 8, 0.5)
    assert (settings["rank"], settings["limit"]) == (0.4, 0.95)
    assert Use(SelfLearning).demo()["start"] == pytest.approx(40 / 3)


def test_a_start_past_the_end_is_refused() -> None:
    with pytest.raises(Invalid, match=r"SelfLearning.start = 3: must be below 3, the epochs"):
        small_trial(**{"recipe.epochs": 3}, method=Use(SelfLearning, start=3))
