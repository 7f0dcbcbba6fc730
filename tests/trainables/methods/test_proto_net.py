"""ProtoNet by hand: support and query halves of a batch, and the means that it is tested by."""

import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from tests.trainables.small import batch, pixel_method, small_trial
from trainables.data.samplers.resample import Resample
from trainables.heads.prototypes import Prototypes
from trainables.methods.proto_net import ProtoNet, class_means
from trainables.settings import Invalid, Use

HEAD = Use(Prototypes, gamma=0.5)


def images(*pixels: list[float]) -> torch.Tensor:
    return torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 2, 2)


def method(y: list[int], **changes: Any) -> ProtoNet:
    built: ProtoNet = pixel_method(ProtoNet, y, head=HEAD, **changes)
    return built


def test_means_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 7.0]])
    means, n = class_means(features, torch.tensor([0, 0, 2]), 3)
    assert means.tolist() == [[2, 0], [0, 0], [5, 7]]
    assert n.tolist() == [2, 0, 1]


def test_the_second_of_each_pair_is_asked_for_its_class() -> None:
    x = images([1, 0, 0, 0], [0, 0, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0]).requires_grad_()
    metrics = method([0, 1, 2]).update(batch([0, 0, 1, 1], x), lr=0)
    # Means (1, 0) and (0, 2); the queries are 1 and 4 away from them, then 2 and 1; half of that.
    first = 0.5 * 1 + math.log(math.exp(-0.5) + math.exp(-2))
    second = 0.5 * 1 + math.log(math.exp(-1) + math.exp(-0.5))
    assert_close(metrics["loss"], torch.tensor((first + second) / 2))
    assert float(metrics["accuracy"]) == 1


def test_before_an_evaluation_prototypes_become_the_means_of_the_training_features() -> None:
    built = method([0, 1, 2])
    x = images([1, 0, 0, 0], [3, 0, 0, 0], [0, 2, 0, 0])
    with torch.no_grad():
        built.before_evaluation(lambda: iter([batch([0, 0], x[:2]), batch([2], x[2:])]))
    assert built.head.prototypes.tolist() == [[2, 0, 0, 0], [0, 0, 0, 0], [0, 2, 0, 0]]
    assert_close(built.predict(images([2, 0, 0, 0])), torch.tensor([[-0.0, -2.0, -4.0]]))


def test_a_step_leaves_the_prototypes_as_they_are() -> None:
    built = method([0, 1, 2], **{"recipe.weight_decay": 0.1})
    with torch.no_grad():
        built.head.prototypes.fill_(3)
    built.update(batch([0, 0, 1, 1], torch.rand(4, 1, 2, 2, requires_grad=True)), lr=0.5)
    assert (built.head.prototypes == 3).all()


def test_it_needs_prototypes_even_batches_and_its_own_sampler() -> None:
    with pytest.raises(Invalid, match=r"trial.head = Linear\(\): must be one that emits squared"):
        small_trial(method=Use(ProtoNet))
    proto = small_trial(method=Use(ProtoNet), head=Use(Prototypes))
    with pytest.raises(Invalid, match=r"recipe\.batch_size = 5: must be even: ProtoNet halves"):
        proto.set({"recipe.batch_size": 5})
    with pytest.raises(Invalid, match=r"recipe\.sampling = .*: must be Shuffle: ProtoNet draws"):
        proto.but(recipe=proto.recipe.but(sampling=Use(Resample)))
