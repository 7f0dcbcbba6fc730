"""Attacks through the trial's own loss: steps and bounds by hand, and on trained nets."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, tensor
from torch.testing import assert_close

from tests.trainables.measures.conftest import TRIAL
from tests.trainables.small import SITE
from trainables.heads.label_decoder import LabelDecoder
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.losses.huber import Huber
from trainables.measures.label_attack import EPS, LabelAttack, climbed, other_class
from trainables.measures.measure import Finished
from trainables.measures.top_k import TopK
from trainables.seeding import generator
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.targets.label_matrix import LabelMatrix
from trainables.training.fit import fit

WITHOUT = tensor(-torch.inf), tensor(torch.inf)


def image(*pixels: float) -> Tensor:
    return tensor(pixels).view(1, 1, 1, -1)


def towards_two(x: Tensor) -> Tensor:
    """The slope of a hill whose top has 2 in each pixel."""
    return 2 - x


def walk(x: Tensor, eps: float, steps: int, within: tuple[Tensor, Tensor] = WITHOUT) -> Tensor:
    return climbed(towards_two, x, towards_two(x), eps, steps, within)


def test_one_step_moves_each_pixel_by_eps_along_the_slopes_sign() -> None:
    assert_close(walk(image(0, 3, 2), 0.3, steps=1), image(0.3, 2.7, 2))  # no slope: it stays


def test_five_steps_move_by_a_fifth_each_and_ask_for_the_slope_anew() -> None:
    # From 1.9 two steps of 0.1 lead to 2 and none further; from 0 all five lead on.
    assert_close(walk(image(0, 1.9), 0.5, steps=5)[..., 0], image(0.5)[..., 0])
    swung = walk(image(1.95), 0.5, steps=5)
    assert_close(swung, image(2.05))  # up, down, up, down, up


def test_pixels_are_put_back_within_the_bounds_after_each_step() -> None:
    within = tensor(0.0), tensor(1.0)
    assert_close(walk(image(0.9, 0.2), 0.3, 1, within), image(1, 0.5))


def test_another_class_is_the_next_or_any_but_the_label() -> None:
    y = tensor([0, 1, 2])
    chance = generator(0, "test")
    assert other_class(y, 3, "next", chance).tolist() == [1, 2, 0]
    many = torch.arange(4).repeat(200)
    drawn = other_class(many, 4, "random", chance)
    assert not (drawn == many).any()
    for label in range(4):
        assert set(drawn[many == label].tolist()) == {0, 1, 2, 3} - {label}


# On trained nets


@pytest.fixture(scope="module")
def of_matrices(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    head = Use(LabelDecoder, labels=Use(UniformMatrices, shape=(16, 16)))
    trial = TRIAL.but(head=head, targets=Use(LabelMatrix), loss=Use(Huber))
    trial = trial.set({"data.train_per_class": 20, "recipe.epochs": 4})
    storage = Storage(tmp_path_factory.mktemp("matrices"))
    assert fit(trial, storage, SITE).status == "finished"
    return Finished(trial, storage.trial(trial.id), SITE)


def test_all_are_right_before_and_more_wrong_the_further_pixels_move(finished: Finished) -> None:
    found = LabelAttack()(finished)
    at = [found[f"accuracy at {eps:g}"] for eps in EPS]
    assert at[0] == 1
    assert at == sorted(at, reverse=True)
    assert at[-1] < 0.9
    assert found["accuracy"] == pytest.approx(sum(at[1:]) / 6)


def test_the_share_is_of_all_images_where_that_is_said(finished: Finished) -> None:
    of_right, of_all = LabelAttack()(finished), LabelAttack(of="all")(finished)
    clean = TopK(k=1)(finished)["accuracy"]
    assert of_all["accuracy at 0"] == pytest.approx(clean)
    for name in LabelAttack.gives:
        assert of_all[name] == pytest.approx(clean * of_right[name])


@pytest.mark.parametrize("target", ["none", "next"])
def test_what_is_climbed_is_the_huber_loss_to_the_labels_matrix(
    of_matrices: Finished, target: str
) -> None:
    found = LabelAttack(target=target)(of_matrices)
    model, data = of_matrices.method().model, of_matrices.data
    x = torch.cat([of_matrices.normalised(batch.x) for batch in of_matrices.pixels()])
    y = of_matrices.test.y
    right = model(x).scores.argmax(1) == y
    x, y = x[right].detach().requires_grad_(), y[right]
    aim = y if target == "none" else (y + 1) % len(data.names)
    losses = F.smooth_l1_loss(model(x).output, model.head.matrices[aim])
    (slope,) = torch.autograd.grad(losses, x)
    moved = x + (0.2 if target == "none" else -0.2) * slope.sign()
    share = (model(moved).scores.argmax(1) == y).float().mean()
    assert found["accuracy at 0.2"] == pytest.approx(float(share), abs=1e-3)
    assert 0 < found["accuracy at 0.2"] < 1


def test_an_iterative_attack_harms_more_than_one_step(of_matrices: Finished) -> None:
    one, several = LabelAttack()(of_matrices), LabelAttack(steps=3)(of_matrices)
    assert several["accuracy"] < one["accuracy"]


def test_pixels_may_be_kept_in_their_range_or_their_images(finished: Finished) -> None:
    found = {clip: LabelAttack(clip=clip)(finished) for clip in ("none", "image", "pixels")}
    assert len({values["accuracy"] for values in found.values()}) > 1
    x = finished.normalised(next(iter(finished.pixels())).x)
    low, high = LabelAttack(clip="pixels")._bounds(finished, x)
    assert_close(finished.normalised(tensor(0.0)), low)
    assert_close(float(high), (1 - 0.305) / 0.376, rtol=1e-5, atol=0)
    low, high = LabelAttack(clip="image")._bounds(finished, x)
    assert low.shape == (len(x), 1, 1, 1)
    assert_close(high[3].squeeze(), x[3].max())


def test_where_no_image_was_right_before_it_is_refused_with_the_reason(finished: Finished) -> None:
    with torch.no_grad():
        said = [
            finished.method().predict(finished.normalised(batch.x)).argmax(1)
            for batch in finished.pixels()
        ]
    wrong = Finished(finished.trial, finished.files, finished.site)
    split = replace(finished.test, y=(torch.cat(said) + 1) % 10)
    vars(wrong)["data"] = replace(finished.data, test=split)
    with pytest.raises(Invalid, match="no test image was classified correctly before the attack"):
        LabelAttack()(wrong)


@pytest.mark.parametrize("targets", ["SelfDistilled", "OnlineSingle"])
def test_targets_that_know_training_images_alone_are_refused(targets: str) -> None:
    trial = TRIAL.set({"targets": targets})
    with pytest.raises(Invalid, match=f"LabelAttack: trial.targets = {targets}.*must be targets"):
        LabelAttack.suits(trial)
    LabelAttack.suits(TRIAL.set({"targets": "Smooth"}))


def test_the_trained_model_is_left_as_it_was(of_matrices: Finished) -> None:
    model = of_matrices.method().model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    LabelAttack()(of_matrices)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
