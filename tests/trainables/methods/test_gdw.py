"""GDW by hand: weights of images and classes, and how the meta step moves them."""

from dataclasses import replace

import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method
from trainables.methods.gdw import GDW, zero_mean

META = {"data.meta_per_class": 1}


def test_the_weight_of_the_label_makes_the_weighted_slopes_sum_to_nothing() -> None:
    p, label = tensor([[0.5, 0.3, 0.2]]), tensor([[1.0, 0.0, 0.0]])
    weights = zero_mean(tensor([[9.0, 2.0, 4.0]]), p, label)
    # 2 * 0.3 + 4 * 0.2 = 1.4 is what the others have; the label's slope is -0.5.
    assert_close(weights, tensor([[2.8, 2.0, 4.0]]))
    assert_close((weights * (p - label)).sum(), tensor(0.0))


def test_equal_weights_stay_equal() -> None:
    p, label = tensor([[0.5, 0.3, 0.2]]), tensor([[0.0, 0.0, 1.0]])
    assert_close(zero_mean(torch.full((1, 3), 0.7), p, label), torch.full((1, 3), 0.7))


def test_a_label_that_is_as_good_as_certain_gets_a_finite_weight() -> None:
    p, label = tensor([[1.0, 0.0, 0.0]]), tensor([[1.0, 0.0, 0.0]])
    assert_close(zero_mean(torch.ones(1, 3), p, label), tensor([[0.0, 1.0, 1.0]]))


def test_a_step_moves_scores_by_weighted_slopes() -> None:
    built = pixel_method(GDW, [0, 1, 2], **META)
    features = X.flatten(1)
    weights = tensor([[0.0, 0.5, 0.25]])
    loss = built.weighted(features, tensor([0]), (weights,))
    assert_close(loss, tensor(3.0).log())  # what is logged: the cross-entropy without weights
    loss.backward()
    # Others: a third of 0.5 and of 0.25; the label's takes what they give.
    assert_close(built.model.head.classifier.bias.grad, tensor([-0.75, 0.5, 0.25]) / 3)


def test_the_meta_step_moves_weights_by_the_rate_over_the_sum_up_to_the_clip() -> None:
    built = pixel_method(GDW, [0, 1, 2], {"rate": 1.0, "clip": 0.2}, **META)
    built.begin(tensor([0]))
    built.given = tensor([[0.5, 0.5, 0.1]])
    still = [torch.zeros_like(w) for w in built.net.parameters()]
    built.learn([*still, tensor([[0.01, -0.04, 0.05]])])
    # Shares of 0.1, -0.4 and 0.5: the first below the clip; the third would be below 0.
    assert_close(built.weights, tensor([[0.4, 0.7, 1e-6]]))


def test_all_classes_of_an_image_start_with_the_weight_of_its_loss() -> None:
    built = pixel_method(GDW, [0, 1, 2], **META)
    built.begin(tensor([0, 1]))
    (weights,) = built.advise(torch.zeros(2, 4), tensor([1.0, 3.0]))
    own = built.net(tensor([[1.0], [3.0]]))
    assert_close(weights, own.expand(2, 3))


def test_a_clean_image_takes_weight_from_what_contradicts_it() -> None:
    """Both images look as the clean one, whose label is 0: label 1 is wrong."""
    built = pixel_method(GDW, [0, 1, 2], **META)
    images = replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X))
    built.update(images, lr=0.1)
    right, wrong = built.weights - built.given
    # The clean image wants class 1 pushed down and class 0 up: less of "up 1, down 0".
    assert right[1] > 0 > wrong[0]
