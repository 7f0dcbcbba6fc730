from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, tensor
from torch.testing import assert_close

from tests.trainables.small import SITE, batch, out, small_task, small_trial, tiny_task
from trainables.data.data import Batch
from trainables.losses.cross_entropy import CrossEntropy
from trainables.methods.method import Method
from trainables.model import fresh
from trainables.settings import Invalid, Use
from trainables.storage.folder import Folder
from trainables.storage.trial_files import TrialFiles
from trainables.targets.online import (
    Online,
    bounded_log,
    correct_sums,
    log_mixed,
    mixed,
    normalised,
)
from trainables.training.run import Run

THIRD = 1 / 3


def probabilities(*rows: list[float]) -> Tensor:
    """Scores whose softmax these are."""
    return tensor(rows).log()


# The equations, by hand


def test_the_target_has_alpha_on_the_label_and_the_rest_as_the_soft_label() -> None:
    soft = tensor([[0.5, 0.5, 0.0], [0.2, 0.2, 0.6]])
    expected = tensor([[0.375, 0.625, 0.0], [0.15, 0.15, 0.7]])
    assert_close(mixed(tensor([1, 2]), soft, alpha=0.25), expected)


def test_its_logarithm_is_exact_where_it_would_round_to_zero() -> None:
    log_soft = tensor([[log(0.5), log(0.5), -200.0]])
    expected = tensor([[log(0.375), log(0.625), log(0.75) - 200]])
    assert_close(log_mixed(tensor([1]), log_soft, alpha=0.25), expected)
    assert_close(log_mixed(tensor([1]), log_soft, alpha=0), log_soft)
    label = tensor([[-torch.inf, 0.0, -torch.inf]])
    assert_close(log_mixed(tensor([1]), log_soft, alpha=1), label)


def test_a_stored_zero_has_the_logarithm_of_the_least_number_above_it() -> None:
    stored = tensor([0.5, 2.0**-149, 0.0])
    assert_close(bounded_log(stored), tensor([-log(2), -149 * log(2), -149 * log(2)]))


def test_only_correctly_classified_images_are_added_to_the_row_of_their_class() -> None:
    p = [[0.6, 0.3, 0.1], [0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7]]
    sums = correct_sums(tensor([0, 0, 1, 2]), probabilities(*p))  # the third is wrong
    assert_close(sums, tensor([[1.4, 0.4, 0.2], [0.0, 0.0, 0.0], [0.2, 0.1, 0.7]]))


def test_rows_are_divided_by_their_sum_and_rows_of_zeros_are_uniform() -> None:
    sums = tensor([[1.4, 0.4, 0.2], [0.0, 0.0, 0.0], [0.1, 0.1, 0.8]])
    expected = tensor([[0.7, 0.2, 0.1], [THIRD, THIRD, THIRD], [0.1, 0.1, 0.8]])
    assert_close(normalised(sums), expected)


@given(
    classes=st.integers(2, 20),
    images=st.integers(1, 40),
    seed=st.integers(0, 10_000),
    scale=st.floats(0, 100),
)
@settings(deadline=None, max_examples=50)
def test_every_row_is_a_distribution_with_its_maximum_on_its_class(
    classes: int, images: int, seed: int, scale: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (images,), generator=generator)
    scores = scale * torch.randn(images, classes, generator=generator)
    soft = normalised(correct_sums(y, scores))
    assert (soft >= 0).all()
    assert_close(soft.sum(1), torch.ones(classes))
    assert soft.diagonal().equal(soft.amax(1))  # every image that was added has it there


def test_cross_entropy_to_the_target_is_the_loss_of_equation_four() -> None:
    scores, y = torch.randn(4, 3), tensor([0, 1, 2, 2])
    soft = torch.rand(3, 3).softmax(1)[y]
    log_p = scores.log_softmax(1)
    expected = 0.3 * -log_p[range(4), y] + 0.7 * -(soft * log_p).sum(1)
    loss = CrossEntropy(small_task())(out(scores), mixed(y, soft, 0.3), batch(y.tolist()))
    assert_close(loss, expected)


# The part


def test_the_soft_label_of_the_first_period_is_uniform_so_that_it_is_label_smoothing() -> None:
    targets = Online(small_task(classes=4), alpha=0.9)
    expected = tensor([[0.025, 0.925, 0.025, 0.025]])
    assert_close(targets(batch([1]), out(torch.zeros(1, 4))), expected)


def test_with_start_zero_the_loss_of_the_first_period_is_alpha_times_cross_entropy() -> None:
    targets = Online(small_task(), alpha=0.5, start="zero")
    said, labels = out(probabilities([0.25, 0.5, 0.25])), batch([0])
    loss = CrossEntropy(small_task())(said, targets(labels, said), labels)
    assert_close(loss, tensor([0.5 * log(4)]))


def test_a_class_that_was_never_right_keeps_a_uniform_row() -> None:
    targets = Online(small_task(), start="zero")
    said = out(probabilities([0.8, 0.1, 0.1], [0.8, 0.1, 0.1]))
    targets.observe(batch([0, 1]), said)  # class 1 was wrong, class 2 is not there
    targets.end_epoch()
    expected = tensor([[0.8, 0.1, 0.1], [THIRD, THIRD, THIRD], [THIRD, THIRD, THIRD]])
    assert_close(targets.soft, expected)


def test_what_was_seen_counts_from_the_next_epoch_on_and_for_one_epoch() -> None:
    targets = Online(small_task(classes=2))
    uniform = torch.full((2, 2), 0.5)
    targets.observe(batch([0]), out(probabilities([0.9, 0.1])))
    assert_close(targets.soft, uniform)
    targets.end_epoch()
    assert_close(targets.soft[0], tensor([0.9, 0.1]))
    targets.observe(batch([0]), out(probabilities([0.6, 0.4])))
    targets.end_epoch()
    assert_close(targets.soft[0], tensor([0.6, 0.4]))  # and not the mean of both epochs
    targets.end_epoch()
    assert_close(targets.soft, uniform)


def test_a_period_may_be_some_epochs() -> None:
    targets = Online(small_task(classes=2), period=2)
    targets.observe(batch([0]), out(probabilities([0.9, 0.1])))
    targets.end_epoch()
    targets.observe(batch([0]), out(probabilities([0.7, 0.3])))
    assert_close(targets.soft[0], tensor([0.5, 0.5]))
    targets.end_epoch()
    assert_close(targets.soft[0], tensor([0.8, 0.2]))


def test_a_period_of_iterations_does_not_heed_the_ends_of_epochs() -> None:
    targets = Online(small_task(classes=2), period=2, unit="iterations")
    targets.observe(batch([0]), out(probabilities([0.9, 0.1])))
    targets.end_epoch()
    assert_close(targets.soft[0], tensor([0.5, 0.5]))
    targets.observe(batch([0]), out(probabilities([0.7, 0.3])))
    assert_close(targets.soft[0], tensor([0.8, 0.2]))
    assert not targets.sums.any()


def test_the_place_in_the_period_is_part_of_the_state() -> None:
    one, other = (Online(small_task(classes=2), period=2) for _ in range(2))
    one.observe(batch([0]), out(probabilities([0.9, 0.1])))
    one.end_epoch()
    other.load_state_dict(one.state_dict())
    other.end_epoch()
    assert_close(other.soft[0], tensor([0.9, 0.1]))


@pytest.mark.parametrize(
    ("period", "unit", "most"), [(4, "epochs", 3), (7, "iterations", 6)]
)  # small_trial has 3 epochs of 2 steps
def test_a_period_longer_than_the_training_is_refused(
    period: int, unit: str, most: int, tmp_path: Path
) -> None:
    def started(period: int) -> Run:
        trial = small_trial(targets=Use(Online, period=period, unit=unit))
        return Run(trial, TrialFiles(Folder(tmp_path / "run")), SITE)

    started(most)
    message = rf"^Online.period = {period}: must be at most {most}, the {unit} of the whole"
    with pytest.raises(Invalid, match=message):
        started(period)


def test_a_period_of_epochs_is_refused_when_the_trial_is_written() -> None:
    with pytest.raises(Invalid, match=r"^Online.period = 4: must be at most 3, the epochs"):
        small_trial(targets=Use(Online, period=4))
    longer = small_trial(**{"recipe.epochs": 4, "targets": Use(Online, period=4)})
    with pytest.raises(Invalid, match=r"^Online.period = 4: must be at most 3, the epochs"):
        longer.set({"recipe.epochs": 3})


@pytest.mark.parametrize("setting", [{"alpha": 1.1}, {"alpha": -0.1}, {"period": 0}])
def test_alpha_is_a_share_and_the_period_at_least_one(setting: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"Online.(alpha|period) = .*: must lie in"):
        Use(Online, **setting)


def test_demo_shortens_periods_of_iterations_and_keeps_them_apart() -> None:
    periods = (1, 64, 128, 192, 256, 320, 384, 768, 1152)
    demos = [Use(Online, period=p, unit="iterations").demo()["period"] for p in periods]
    assert demos == [1, 2, 4, 5, 7, 9, 10, 20, 30]
    assert Use(Online, period=5).demo() == Use(Online, period=5)


# Differential: a slow transcription of equations 3 to 6


class Transcript:
    """The method with loops over images and classes, a column of S a class as in the paper."""

    def __init__(self, net: nn.Module, classes: int, alpha: float, lr: float) -> None:
        self.net, self.classes, self.alpha, self.lr = net, classes, alpha, lr
        self.previous = [[1 / classes] * classes for _ in range(classes)]  # S^0[k][column]
        self.clear()

    def clear(self) -> None:
        self.sums = [[0.0] * self.classes for _ in range(self.classes)]

    def step(self, x: Tensor, y: list[int]) -> float:
        p = self.net(x).double().softmax(1)
        loss = tensor(0.0, dtype=torch.float64)
        for i, label in enumerate(y):
            hard = -p[i, label].log()
            soft = tensor(0.0, dtype=torch.float64)
            for k in range(self.classes):
                soft = soft - self.previous[k][label] * p[i, k].log()  # (3)
            loss = loss + (self.alpha * hard + (1 - self.alpha) * soft) / len(y)  # (4)
            said = p[i].tolist()
            if said.index(max(said)) == label:
                for k in range(self.classes):
                    self.sums[k][label] += said[k]  # (5)
        self.net.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in self.net.parameters():
                if parameter.grad is not None:
                    parameter -= self.lr * parameter.grad
        return float(loss.detach())

    def end_epoch(self) -> None:
        for label in range(self.classes):
            total = sum(row[label] for row in self.sums)
            for k in range(self.classes):
                value = self.sums[k][label] / total if total else 1 / self.classes  # (6)
                self.previous[k][label] = value
        self.clear()


class Flat(nn.Module):
    """The net and head of a model alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.net, self.head = model.net, model.head

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.net(x)[0])
        return scores


def test_two_epochs_are_those_of_a_transcription_of_the_equations() -> None:
    plain = {"recipe.momentum": 0.0, "recipe.weight_decay": 0.0, "recipe.lr": 0.1}
    task = small_task()
    trial = small_trial(targets=Use(Online, alpha=0.4), **plain)
    task = tiny_task(trial, task.names, task.y, side=8, steps=4)
    ours = Method(fresh(task), task)
    theirs = Transcript(Flat(fresh(task)), task.classes, alpha=0.4, lr=0.1)
    generator = torch.Generator().manual_seed(0)
    moved = []
    for _ in range(2):
        for _ in range(4):
            x = torch.randn(12, 1, 8, 8, generator=generator)
            y = torch.randint(3, (12,), generator=generator)
            loss = ours.update(Batch(x, y, torch.arange(12)), lr=0.1)["loss"]
            assert float(loss) == pytest.approx(theirs.step(x, y.tolist()), abs=1e-5)
        ours.end_epoch()
        theirs.end_epoch()
        soft = ours.model.targets.soft
        assert_close(soft, tensor(theirs.previous).T, atol=1e-5, rtol=0)
        moved.append(float((soft - THIRD).abs().max()))
    assert min(moved) > 0.05  # both epochs had something to learn from
