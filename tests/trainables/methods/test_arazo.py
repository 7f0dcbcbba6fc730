from collections.abc import Iterator
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor, tensor
from torch.distributions import Beta
from torch.testing import assert_close

from tests.trainables.small import Pixels, batch, pixel_method, small_trial
from trainables.data.data import Batch
from trainables.methods.arazo import (
    PLACES,
    Arazo,
    BetaMixture,
    fit_beta_mixture,
    towards_uniform,
    wrong_by_loss,
)
from trainables.settings import Invalid, Use
from trainables.task import Task

P = tensor([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])


def mixture(alpha: list[float], beta: list[float], weight: list[float]) -> BetaMixture:
    return BetaMixture(*(tensor(v, dtype=torch.float64) for v in (alpha, beta, weight)))


def drawn(n: int = 3000) -> Tensor:
    """70 % small losses, 30 % great ones."""
    torch.manual_seed(0)
    few = round(0.3 * n)
    return torch.cat([Beta(2.0, 8.0).sample((n - few,)), Beta(9.0, 3.0).sample((few,))])


def arazo(y: list[int], epoch: int = 1, **settings: Any) -> Arazo:
    """Past its warm-up of one epoch; the scores of an image are its first three pixels."""
    settings = {"start": 1, "mixup": 0, "regulariser": 0, **settings}
    built: Arazo = pixel_method(Arazo, y, settings)
    built.epoch = epoch
    with torch.no_grad():
        built.model.head.classifier.weight.copy_(torch.eye(3, 4))
    return built


def images(p: Tensor) -> Tensor:
    """Whose scores are log p (n, 3)."""
    return torch.cat([p.log(), torch.zeros(len(p), 1)], 1).view(-1, 1, 2, 2)


# The mixture


def test_the_posterior_is_by_bayes() -> None:
    # Beta(1, 2) has the density 2 - 2x, Beta(2, 1) has 2x.
    posterior = mixture([1, 2], [2, 1], [0.5, 0.5]).posterior(tensor([0.25, 0.5]))
    assert_close(posterior, tensor([[0.75, 0.5], [0.25, 0.5]], dtype=torch.float64))
    posterior = mixture([1, 2], [2, 1], [0.9, 0.1]).posterior(tensor([0.5]))
    assert_close(posterior, tensor([[0.9], [0.1]], dtype=torch.float64))


def test_losses_at_the_edges_have_a_posterior() -> None:
    posterior = mixture([0.5, 3], [3, 0.5], [0.5, 0.5]).posterior(tensor([0.0, 1.0]))
    assert posterior.isfinite().all()
    assert (posterior[1] > 0.5).tolist() == [False, True]


def test_the_fit_is_expectation_maximisation() -> None:
    """Against a direct, slow transcription."""
    x = drawn(200)
    parameters = [(0.5, 1.0, 2.0), (0.5, 2.0, 1.0)]
    for _ in range(10):
        densities = [[w * Beta(a, b).log_prob(v).exp().item() for v in x] for w, a, b in parameters]
        parameters = []
        for mine, other in (densities, densities[::-1]):
            share = [one / (one + two) for one, two in zip(mine, other, strict=True)]
            mean = sum(s * float(v) for s, v in zip(share, x, strict=True)) / sum(share)
            squares = (s * (float(v) - mean) ** 2 for s, v in zip(share, x, strict=True))
            variance = sum(squares) / sum(share)
            a = mean * (mean * (1 - mean) / variance - 1)
            parameters.append((sum(share) / len(x), a, a * (1 - mean) / mean))
    found = fit_beta_mixture(x)
    expected = tensor(parameters, dtype=torch.float64).T
    assert_close(torch.stack([found.weight, found.alpha, found.beta]), expected, rtol=1e-4, atol=0)


def test_the_fit_finds_what_the_losses_were_drawn_from() -> None:
    found = fit_beta_mixture(drawn(), iterations=50)
    assert found.weight.tolist() == pytest.approx([0.7, 0.3], abs=0.02)
    assert (found.alpha / (found.alpha + found.beta)).tolist() == pytest.approx(
        [0.2, 0.75], abs=0.02
    )


def test_equal_losses_give_numbers() -> None:
    found = fit_beta_mixture(torch.full((10,), 0.3))
    assert found.posterior(tensor([0.1, 0.3, 0.9])).isfinite().all()


def test_a_greater_loss_than_the_most_suspicious_is_as_suspicious() -> None:
    humped = mixture([1, 5], [1, 5], [0.5, 0.5])  # uniform, and a hump in the middle
    table = wrong_by_loss(humped)
    assert table.shape == (PLACES,)
    assert table[0] < 0.01
    assert (table.diff() >= 0).all()
    assert_close(table[50:], table[49].expand(50), rtol=1e-3, atol=0)
    middle = humped.posterior(tensor([0.5]))[1, 0].float()
    assert_close(table[-1], middle, rtol=1e-3, atol=0)


# The regulariser


def test_the_regulariser_is_the_divergence_of_the_uniform_from_the_mean_prediction() -> None:
    scores = tensor([[0.9, 0.1], [0.6, 0.4]]).log()
    expected = 0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25)
    assert_close(towards_uniform(scores), tensor(expected))
    assert_close(towards_uniform(tensor([[0.9, 0.1], [0.1, 0.9]]).log()), tensor(0.0))


# The steps


def test_the_warm_up_has_the_given_labels() -> None:
    built = arazo([2, 1], epoch=0, regulariser=1)
    built.table.fill_(0.25)
    loss = built.update(batch([2, 1], images(P)), lr=0.1)["loss"]
    assert_close(loss, tensor(-(log(0.2) + log(0.8)) / 2))


@pytest.mark.parametrize(
    ("guess", "first", "second"),
    [
        ("hard", log(0.5), log(0.8)),
        (
            "soft",
            0.5 * log(0.5) + 0.3 * log(0.3) + 0.2 * log(0.2),
            0.2 * log(0.1) + 0.8 * log(0.8),
        ),
    ],
)
def test_then_the_label_is_mixed_with_the_prediction(
    guess: str, first: float, second: float
) -> None:
    built = arazo([2, 1], guess=guess)
    built.table.fill_(0.25)
    loss = built.update(batch([2, 1], images(P)), lr=0.1)["loss"]
    expected = [0.75 * log(0.2) + 0.25 * first, 0.75 * log(0.8) + 0.25 * second]
    assert_close(loss, tensor(-sum(expected) / 2))


def test_the_loss_of_an_image_tells_how_much() -> None:
    built = arazo([2, 1])
    built.table[50:] = 1
    built.table[:50] = 0
    built.range.copy_(tensor([0, 2.0]))  # losses of 1.61 and 0.22
    loss = built.update(batch([2, 1], images(P)), lr=0.1)["loss"]
    assert_close(loss, tensor(-(log(0.5) + log(0.8)) / 2))


def test_the_regulariser_is_added_with_its_weight() -> None:
    plain, weighted = (arazo([2, 1], regulariser=weight) for weight in (0, 0.5))
    losses = [b.update(batch([2, 1], images(P)), lr=0.1)["loss"] for b in (plain, weighted)]
    mean = tensor([0.3, 0.55, 0.15])
    assert_close(losses[1] - losses[0], 0.5 * (tensor(1 / 3) / mean).log().mean())


def test_images_and_targets_are_mixed_in_the_same_shares() -> None:
    built, x, labels = arazo([2, 1], epoch=0, mixup=2), images(P), torch.eye(3)[[2, 1]]
    seed = next(seed for seed in range(9) if self_order(seed) == [1, 0])
    torch.manual_seed(seed)
    share = float(Beta(2.0, 2.0).sample())
    scores = share * P.log() + (1 - share) * P.log().flip(0)
    target = share * labels + (1 - share) * labels.flip(0)
    torch.manual_seed(seed)
    loss = built.update(batch([2, 1], x), lr=0.1)["loss"]
    assert_close(loss, -(target * scores.log_softmax(1)).sum(1).mean())


def test_after_the_warm_up_both_images_have_their_corrected_targets() -> None:
    # A quarter of each prediction: 0 and 1; the first label is 2, the second 1.
    built, corrected = arazo([2, 1], mixup=2), tensor([[0.25, 0.0, 0.75], [0.0, 1.0, 0.0]])
    built.table.fill_(0.25)
    seed = next(seed for seed in range(9) if self_order(seed) == [1, 0])
    torch.manual_seed(seed)
    share = float(Beta(2.0, 2.0).sample())
    scores = share * P.log() + (1 - share) * P.log().flip(0)
    target = share * corrected + (1 - share) * corrected.flip(0)
    torch.manual_seed(seed)
    loss = built.update(batch([2, 1], images(P)), lr=0.1)["loss"]
    assert_close(loss, -(target * scores.log_softmax(1)).sum(1).mean())


def self_order(seed: int) -> list[int]:
    """In which order a step of this seed mixes two images."""
    torch.manual_seed(seed)
    Beta(2.0, 2.0).sample()
    order: list[int] = torch.randperm(2).tolist()
    return order


def test_losses_that_were_all_equal_tell_greater_ones_from_smaller() -> None:
    built = arazo([2, 1])
    built.table[50:] = 1
    built.table[:50] = 0
    built.range.fill_(0.5)  # of losses of 1.61 and 0.22: the first label is taken for wrong
    loss = built.update(batch([2, 1], images(P)), lr=0.1)["loss"]
    assert_close(loss, tensor(-(log(0.5) + log(0.8)) / 2))


def test_without_mixup_it_is_the_image_itself_that_is_shown() -> None:
    built = arazo([0, 1], epoch=0)
    torch.manual_seed(next(seed for seed in range(9) if plain_order(seed) == [1, 0]))
    metrics = built.update(batch([0, 1], images(P)), lr=0.1)
    assert metrics["accuracy"] == 1


def plain_order(seed: int) -> list[int]:
    torch.manual_seed(seed)
    order: list[int] = torch.randperm(2).tolist()
    return order


class Modes(Pixels):
    """Notes whether it was asked in training mode."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        self.modes.append(self.training)
        return super().forward(x)


def test_the_prediction_is_made_in_training_mode_and_the_loss_in_evaluation_mode() -> None:
    settings = {"start": 1, "mixup": 0}
    built = pixel_method(Arazo, [2, 1], settings, net=Use(Modes))
    built.epoch = 1
    built.update(batch([2, 1], images(P)), lr=0.1)
    assert built.model.net.modes == [True, False, True]
    assert built.model.training


# The epochs


def sweep(y: list[int], p: Tensor) -> Iterator[Batch]:
    half = len(y) // 2
    for part in (slice(0, half), slice(half, None)):
        yield Batch(images(p[part]), tensor(y[part]), torch.arange(len(y))[part])


@torch.no_grad()
def test_before_an_epoch_the_mixture_is_fitted_to_the_losses_between_their_percentiles() -> None:
    torch.manual_seed(1)
    confident = torch.rand(40) * 0.3 + 0.65
    p = torch.stack([confident, (1 - confident) / 2, (1 - confident) / 2], 1)
    y = [0] * 28 + [1] * 12  # the last are wrong
    built = arazo(y)
    built.start_epoch(1, lambda: sweep(y, p))
    losses = -p[range(40), y].log()
    low, high = losses.quantile(0.05), losses.quantile(0.95)
    assert_close(built.range, torch.stack([low, high]))
    kept = losses[(losses >= low) & (losses <= high)]
    expected = wrong_by_loss(fit_beta_mixture((kept - low) / (high - low)))
    assert_close(built.table, expected)
    place = ((losses - low) / (high - low) * PLACES).long().clamp(0, PLACES - 1)
    suspicion = built.table[place]
    assert suspicion[:28].max() < 0.5 < suspicion[28:].min()


def test_during_the_warm_up_there_is_no_sweep() -> None:
    arazo([0, 1]).start_epoch(0, lambda: pytest.fail("swept"))


@torch.no_grad()
def test_losses_that_are_no_numbers_show_in_the_next_loss() -> None:
    y, p = [0, 1], torch.full((2, 3), torch.nan)
    built = arazo(y)
    built.start_epoch(1, lambda: sweep(y, p))
    with torch.enable_grad():
        assert built.update(batch(y, images(P)), lr=0.1)["loss"].isnan()


def test_defaults_are_those_of_the_public_code() -> None:
    assert dict(Use(Arazo).items) == {
        "start": 105,
        "guess": "hard",
        "mixup": 32,
        "regulariser": 1,
    }
    assert Use(Arazo).demo()["start"] == pytest.approx(14)


def test_a_start_past_the_end_is_refused() -> None:
    with pytest.raises(Invalid, match=r"Arazo.start = 3: must be below 3, the epochs"):
        small_trial(**{"recipe.epochs": 3}, method=Use(Arazo, start=3))
