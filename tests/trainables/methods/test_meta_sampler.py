"""The meta sampler: draws by hand, and what a clean image teaches the rates."""

from dataclasses import replace

import torch
from torch import tensor
from torch.testing import assert_close

from tests.trainables.small import X, batch, pixel_method
from trainables.methods.meta_sampler import MetaSampler, drawn

META = {"data.meta_per_class": 1}


def test_each_draw_takes_the_image_with_the_largest_sum_of_rate_and_noise() -> None:
    rates, y = tensor([0.0, 1.0]), tensor([0, 1, 0])
    noise = tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
    assert_close(drawn(rates, y, noise, 1.0), tensor([1.0, 1.0, 1.0]))
    assert_close(drawn(tensor([0.0, 3.0]), y, noise, 1.0), tensor([0.0, 3.0, 0.0]))


def test_its_slope_is_that_of_the_softmax() -> None:
    rates = torch.zeros(2, requires_grad=True)
    counts = drawn(rates, tensor([0, 1]), torch.zeros(2, 2), 1.0)
    counts[1].backward()
    # Two draws, each with the probabilities 1/2: d p_1 / d rate_1 = 1/4.
    assert_close(rates.grad, tensor([-0.5, 0.5]))


def test_draws_are_as_frequent_as_the_rates_say() -> None:
    torch.manual_seed(0)
    n = 2000
    noise = -torch.empty(n, n).exponential_().log()
    y = (torch.arange(n) % 4 == 0).long()  # a quarter of the images have class 1
    counts = drawn(tensor([0.0, 3.0]).log1p(), y, noise, 1.0)
    # Rates 1 and 4 with 3/4 and 1/4 of the images: 3 : 4.
    assert abs(float(counts[y == 1].sum()) / n - 4 / 7) < 0.03


def test_the_class_that_a_clean_image_speaks_for_is_drawn_more_often() -> None:
    built = pixel_method(MetaSampler, [0, 1, 2], {"start": 0.0, "lr": 0.1}, **META)
    built.start_epoch(0, None)
    torch.manual_seed(0)
    x = X.repeat(6, 1, 1, 1)
    for _ in range(5):
        built.update(replace(batch([0, 1, 2, 0, 1, 2], x), meta=batch([0], X)), lr=0.1)
    assert built.rates[0] > max(built.rates[1], built.rates[2])


def test_before_its_stage_rates_stay() -> None:
    built = pixel_method(MetaSampler, [0, 1, 2], {"start": 0.5}, **META)
    built.start_epoch(0, None)
    built.update(replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X)), lr=0.1)
    assert (built.rates == 0).all()
    assert float(built.model.head.classifier.bias.abs().sum()) > 0


def test_the_step_counts_each_image_as_often_as_it_is_drawn() -> None:
    built = pixel_method(MetaSampler, [0, 1, 2], {"start": 0.0, "lr": 1e-9}, **META)
    built.start_epoch(0, None)
    with torch.no_grad():
        built.rates[1] = 50.0  # all draws are of the image of class 1
    metrics = built.update(replace(batch([0, 1], X.repeat(2, 1, 1, 1)), meta=batch([0], X)), 1.0)
    assert_close(metrics["loss"], tensor(3.0).log())
    assert_close(built.model.head.classifier.bias.detach(), tensor([-1 / 3, 2 / 3, -1 / 3]))


def test_rates_start_as_a_power_of_the_class_sizes() -> None:
    y = [0] * 8 + [1] * 4 + [2]
    for power, expected in ((0.0, [1, 1, 1]), (1.0, [8, 4, 1]), (0.5, [8**0.5, 2, 1])):
        built = pixel_method(MetaSampler, y, {"power": power}, **META)
        assert_close(built.rates.detach().exp(), torch.tensor(expected).float())
