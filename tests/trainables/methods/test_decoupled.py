"""Decoupled training: what stays, what is learned, and from which moment on."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn, tensor
from torch.testing import assert_close

from tests.trainables.small import SITE, X, batch, pixel_method, small_trial
from trainables.data.samplers.resample import Resample
from trainables.heads.cosine import Cosine
from trainables.methods.decoupled import CRT, LWS, Decoupled
from trainables.settings import Invalid, Use
from trainables.storage.folder import Folder
from trainables.storage.trial_files import TrialFiles
from trainables.training.run import Run


def trained(part: type[Decoupled], path: Path) -> tuple[Run, list[dict[str, Tensor]]]:
    """A run of three epochs, the last one of the second stage, and the model after each."""
    run = Run(small_trial(method=Use(part, start=0.5)), TrialFiles(Folder(path / "run")), SITE)
    states: list[dict[str, Tensor]] = []

    def note(_: object) -> None:
        states.append({k: v.clone() for k, v in run.method.model.state_dict().items()})

    run.train(note)
    return run, states


@pytest.mark.parametrize("part", [CRT, LWS])
def test_in_the_second_stage_the_net_stays_as_it_is_running_statistics_too(
    part: type[Decoupled], tmp_path: Path
) -> None:
    _, (one, two, three) = trained(part, tmp_path)
    net = [name for name in one if name.startswith("net.")]
    assert any("running_mean" in name for name in net)
    assert any(not one[name].equal(two[name]) for name in net)
    assert all(two[name].equal(three[name]) for name in net)
    assert not two["head.classifier.weight"].equal(three["head.classifier.weight"])


def test_its_batches_have_all_classes_as_often_then() -> None:
    built = pixel_method(CRT, [0, 0, 1], {"start": 0.5})
    assert [built.sampling_in(epoch) for epoch in range(3)] == [None, None, Use(Resample)]


def test_the_classifier_is_trained_anew_from_other_weights_without_momentum() -> None:
    task_seeds = []
    for seed in (0, 0, 1):
        built = pixel_method(CRT, [0, 1, 2], {"start": 0.5}, seed=seed)
        built.update(batch([0], X), lr=1.0)
        built.start_epoch(2, None)
        task_seeds.append(built.model.head.classifier.weight.detach().clone())
        assert not any(weight in built.optimizer.state for weight in built.model.head.parameters())
    assert task_seeds[0].equal(task_seeds[1])
    assert not task_seeds[0].equal(task_seeds[2])
    assert float(task_seeds[0].abs().max()) > 0


def test_the_second_stage_has_a_cosine_of_its_own_from_the_recipes_rate() -> None:
    built = pixel_method(CRT, [0, 1, 2], {"start": 0.5}, **{"recipe.epochs": 8, "recipe.lr": 2.0})
    rates = []
    for epoch in range(8):
        built.start_epoch(epoch, None)
        rates.append(built.lr(0.25))
    root = 2**0.5 / 2
    assert rates == pytest.approx([0.25] * 4 + [2.0, 1 + root, 1.0, 1 - root])


def test_it_is_made_anew_once_only() -> None:
    built = pixel_method(CRT, [0, 1, 2], {"start": 0.3})
    built.start_epoch(0, None)
    built.start_epoch(1, None)
    with torch.no_grad():
        built.model.head.classifier.weight.fill_(7)
    built.start_epoch(2, None)
    assert (built.model.head.classifier.weight == 7).all()


def test_scales_of_scores_are_learned_by_hand() -> None:
    built = pixel_method(LWS, [0, 1, 2], {"start": 0.0})
    with torch.no_grad():
        built.model.head.classifier.weight[:, 0] = tensor([1.0, 2.0, 0.0]).log1p()
        built.model.head.classifier.bias.fill_(0.0)
    built.start_epoch(0, None)
    metrics = built.update(batch([0], X), lr=0.5)
    # Scores log 2, log 3 and 0 of the lit pixel: probabilities 2/6, 3/6 and 1/6.
    assert_close(metrics["loss"], -tensor(1 / 3).log())
    slope = tensor([2 / 6 - 1, 3 / 6, 1 / 6]) * tensor([2.0, 3.0, 1.0]).log()
    assert_close(built.scales.detach(), 1 - 0.5 * slope)
    expected = (1 - 0.5 * slope) * tensor([2.0, 3.0, 1.0]).log()
    assert_close(built.predict(X).detach()[0], expected)


def test_the_bias_is_scaled_too() -> None:
    built = pixel_method(LWS, [0, 1, 2], {"start": 0.0})
    nn.init.constant_(built.model.head.classifier.bias, 1.0)
    built.start_epoch(0, None)
    built.update(batch([0]), lr=0.3)  # dark: the scores are the bias
    assert_close(built.model.head.classifier.bias.detach(), built.scales.detach())
    assert_close(built.scales.detach(), 1 - 0.3 * tensor([-2 / 3, 1 / 3, 1 / 3]))


def test_a_head_without_a_score_a_class_by_weight_and_bias_is_refused() -> None:
    with pytest.raises(Invalid, match=r"head = .*: must be Linear: LWS has head of its own"):
        small_trial(method=Use(LWS), head=Use(Cosine))
