"""Arrays as labels: shapes, nearest labels and the second accuracy, by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn, tensor
from torch.testing import assert_close

from tests.trainables.small import SITE, small_task, small_trial
from trainables.data.data import load
from trainables.data.loader import evaluation_batches
from trainables.heads.label_decoder import LabelDecoder, decoder, labels_of, nearness
from trainables.labels.matrices.label_matrices import LabelMatrices
from trainables.labels.matrices.uniform import UniformMatrices
from trainables.losses.huber import Huber
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.targets.label_matrix import LabelMatrix
from trainables.training.fit import fit
from trainables.training.run import Run


class Written(LabelMatrices):
    """The numbers themselves, a vector a class."""

    def __init__(self, *, numbers: tuple[tuple[float, ...], ...]) -> None:
        self.numbers = numbers

    def __call__(self, names: Sequence[str], folder: Path, seed: int) -> Tensor:
        return tensor(self.numbers)


CORNERS = Use(Written, numbers=((0, 0), (30, 40), (0, 40)))
SMALL = Use(UniformMatrices, shape=(16, 16))
TRIAL = small_trial(
    head=Use(LabelDecoder, labels=SMALL), targets=Use(LabelMatrix), loss=Use(Huber)
).set({"data.test": True})


def head(classes: int = 3, **settings: Any) -> LabelDecoder:
    built: LabelDecoder = Use(LabelDecoder, **settings).build(small_task(classes), 4)
    return built


def test_scores_are_minus_the_mean_squared_distances_by_hand() -> None:
    output = tensor([[0.0, 40.0], [3.0, 4.0]])
    scores = head(labels=CORNERS).scores(output)
    # To (0, 0), (30, 40) and (0, 40): 1600, 900 and 0; 25, 2025 and 1305; over two elements.
    expected = tensor([[-800.0, -450.0, 0.0], [-12.5, -1012.5, -652.5]])
    assert_close(scores, expected, rtol=1e-5, atol=1e-3)


def test_the_distances_are_exact_where_large_squares_are_close_to_each_other() -> None:
    chance = torch.Generator().manual_seed(0)
    level = torch.linspace(0, 80, 100)[:, None, None]
    matrices = level.expand(100, 64, 64)  # constant: one differs from the next by 0.8
    output = matrices[::9] + 0.35 + torch.randn(12, 64, 64, generator=chance)
    exact = (output.double()[:, None] - matrices.double()).square().mean((2, 3))
    found = -nearness(output, matrices)
    assert_close(found.double(), exact, rtol=1e-5, atol=1e-3)
    assert torch.equal(found.argmin(1), exact.argmin(1))


def test_every_label_is_nearest_to_itself() -> None:
    built = head(classes=10)
    assert built.scores(built.matrices).argmax(1).tolist() == list(range(10))
    assert built.scores(built.matrices.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(
    ("side", "sides"), [(64, [4, 8, 16, 32, 64]), (48, [3, 6, 12, 24, 48]), (16, [1, 2, 4, 8, 16])]
)
def test_a_matrix_has_five_convolutions_to_twice_the_side_each(side: int, sides: list[int]) -> None:
    built = decoder(7, (side, side))
    seen: list[tuple[int, int]] = []
    for module in built:
        if isinstance(module, nn.ConvTranspose2d):
            module.register_forward_hook(lambda *call: seen.append(tuple(call[2].shape[1:3])))
    assert built(torch.randn(2, 7)).shape == (2, side, side)
    assert seen == list(zip([64, 32, 16, 8, 1], sides, strict=True))


def test_batch_norm_and_leaky_relu_stand_before_each_layer_but_the_first_convolution() -> None:
    kinds = [type(module).__name__ for module in decoder(7, (64, 64))]
    rest = ["BatchNorm2d", "LeakyReLU", "ConvTranspose2d"] * 4
    assert kinds == [
        "BatchNorm1d", "LeakyReLU", "Linear", "Unflatten", "ConvTranspose2d", *rest, "Flatten"
    ]  # fmt: skip


def test_a_vector_has_one_linear_layer() -> None:
    (layer,) = decoder(7, (10,))
    assert isinstance(layer, nn.Linear)
    assert head(labels=CORNERS)(torch.randn(5, 4)).shape == (5, 2)


@pytest.mark.parametrize("shape", [(64, 48), (40, 40), (3, 16, 16)])
def test_a_shape_without_a_decoder_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(Invalid) as error:
        decoder(7, shape)
    valid = "(size,), or (side, side) with a multiple of 16, as 48 or 64"
    assert str(error.value) == f"LabelDecoder.labels: their shape is {shape}: must be {valid}"


def test_standardised_labels_have_mean_0_and_deviation_1_over_all() -> None:
    labels, unit = labels_of(small_task(10), SMALL, standardised=True)
    assert_close(labels.mean(), tensor(0.0), rtol=0, atol=1e-6)
    assert_close(labels.std(correction=0), tensor(1.0))
    plain, one = labels_of(small_task(10), SMALL, standardised=False)
    assert one == 1
    assert_close(unit * (labels[3] - labels[2]), plain[3] - plain[2], rtol=1e-4, atol=1e-4)


def test_the_second_accuracy_counts_huber_losses_below_the_threshold() -> None:
    built = head(labels=CORNERS)
    # By elements to (30, 40): |-4|, |4|: 3.5 each; then one of 3.5 and one of 0.5 * 0.9^2.
    output = tensor([[26.0, 44.0], [26.0, 40.9]])
    assert built.hits(output, tensor([1, 1]))["accuracy_huber"].tolist() == [False, True]
    wide = head(labels=CORNERS, threshold=3.6)
    assert wide.hits(output, tensor([1, 0]))["accuracy_huber"].tolist() == [True, False]


def test_the_threshold_is_in_the_labels_own_unit_also_of_standardised_ones() -> None:
    built, plain = head(labels=CORNERS, standardised=True), head(labels=CORNERS)
    away = tensor([[4.1, 4.1], [3.9, 3.9], [0.5, 6.5], [0.5, 7.5]])  # Huber 3.6, 3.4, 3.06, 3.56
    output, y = built.matrices[[1] * 4] + away / built.unit, tensor([1] * 4)
    assert built.hits(output, y)["accuracy_huber"].tolist() == [False, True, True, False]
    assert_close(
        built.hits(output, y), plain.hits(plain.matrices[[1] * 4] + away, y), rtol=0, atol=0
    )


def test_the_labels_are_in_no_checkpoint() -> None:
    assert not [name for name in head(labels=SMALL).state_dict() if "matrices" in name]


def test_every_epoch_has_the_second_accuracy_of_all_sets(tmp_path: Path) -> None:
    # From a threshold of their own for this short training, that about half of the images pass.
    trial = TRIAL.set({"head.threshold": 30.0})
    history = fit(trial, Storage(tmp_path), SITE).history
    assert all({"test.accuracy_huber", "validation.accuracy_huber"} <= set(row) for row in history)
    method = Run(trial, Storage(tmp_path).trial(trial.id), SITE).method.eval()
    data = load(trial.data, trial.seed, SITE.folder, SITE.device)
    assert data.test
    below = []
    with torch.no_grad():
        for batch in evaluation_batches(data, data.test, 100):
            out, own = method.model(batch.x), method.model.head.matrices[batch.y]
            far = (out.output - own).abs()
            each = torch.where(far < 1, far.square() / 2, far - 0.5)
            below.append(each.mean((1, 2)) < 30)
    share = float(torch.cat(below).float().mean())
    assert history[-1]["test.accuracy_huber"] == pytest.approx(share)


def test_other_heads_have_no_second_accuracy(tmp_path: Path) -> None:
    (*_, row) = fit(small_trial(), Storage(tmp_path), SITE).history
    assert [name for name in row if name.startswith("validation.")] == [
        "validation.accuracy",
        "validation.loss",
    ]
