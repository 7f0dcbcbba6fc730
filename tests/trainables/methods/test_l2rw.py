"""L2RW by hand: the weights that a clean image gives the images of a batch."""

from dataclasses import replace

import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method
from trainables.methods.l2rw import L2RW

META = {"data.meta_per_class": 1}


def test_images_weigh_as_their_gradients_agree_with_that_of_the_clean_one() -> None:
    built = pixel_method(L2RW, [0, 1, 2], **META)
    x = torch.cat([X, X, torch.zeros_like(X)])  # the third has no pixel lit: its bias counts alone
    built.update(replace(batch([0, 1, 0], x), meta=batch([0], X)), lr=0.1)
    # <p - e_0, p - e_0> = 6/9, twice where the pixel is lit; <p - e_1, p - e_0> is below 0.
    assert_close(built.weights, 3 * tensor([2 / 3, 0, 1 / 3]))


def test_the_loss_is_weighted_by_them() -> None:
    built = pixel_method(L2RW, [0, 1, 2], **META)
    metrics = built.update(replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X)), 0.1)
    assert_close(metrics["loss"], tensor(3.0).log())  # the first image's alone
    assert built.model.head.classifier.bias[0] > 0


def test_where_all_contradict_the_clean_image_nothing_is_learned() -> None:
    built = pixel_method(L2RW, [0, 1, 2], **META)
    metrics = built.update(replace(batch([1, 2], X.repeat(2, 1, 1, 1)), meta=batch([0], X)), 0.1)
    assert float(metrics["loss"]) == 0
    assert (built.model.head.classifier.weight == 0).all()


def test_a_look_ahead_takes_the_clean_gradient_after_a_plain_step() -> None:
    """A step of rate 9 towards label 0 leaves the clean image nothing to ask for."""
    x = X.repeat(2, 1, 1, 1)
    images = replace(batch([0, 1], x), meta=batch([0], X))
    at = pixel_method(L2RW, [0, 1, 2], **META)
    ahead = pixel_method(L2RW, [0, 1, 2], {"look_ahead": True}, **META)
    noted = {}
    for name, built in (("at", at), ("ahead", ahead)):
        learn = built.learn

        def note(
            gradient: tuple[torch.Tensor, ...], name: str = name, learn: object = learn
        ) -> None:
            noted[name] = gradient[0].clone()
            learn(gradient)  # type: ignore[operator]

        built.learn = note
        built.update(images, lr=3.0)
    # At the weights: 3 / 2 * <., .> of the gradients; ahead (p - e_0) has become another one.
    assert_close(noted["at"], -1.5 * 2 * tensor([6 / 9, -3 / 9]))
    # After the step the scores of label 0 and 1 rise by 3 * (1/2 - 1/3) * 2 = 1, that of 2 falls.
    p = tensor([1.0, 1.0, -2.0]).softmax(0)
    g = p - tensor([1.0, 0.0, 0.0])
    third = torch.full((3,), 1 / 3)
    own = [third - tensor([1.0, 0.0, 0.0]), third - tensor([0.0, 1.0, 0.0])]
    assert_close(noted["ahead"], -1.5 * 2 * torch.stack([(o * g).sum() for o in own]))
