import math
from pathlib import Path

import torch
from torch.testing import assert_close

from trainables.labels.matrices.gaussians import GaussianComposition, composition, scaled

NAMES = ["a", "b", "c"]


def test_one_gaussian_falls_off_by_its_two_sigmas() -> None:
    centre = torch.tensor([[0.5 / 64, 0.5 / 64]], dtype=torch.float64)  # of the first pixel
    flat = composition(centre, torch.zeros(1, dtype=torch.float64))
    assert flat[0, 0] == 1
    assert_close(flat[0, 32].item(), math.exp(-((0.5 / (0.075 / 0.31)) ** 2) / 2))  # in its row
    assert_close(flat[32, 0].item(), math.exp(-((0.5 / 0.075) ** 2) / 2))
    upright = composition(centre, torch.tensor([math.pi / 2], dtype=torch.float64))
    assert_close(upright, flat.T)


def test_gaussians_are_summed() -> None:
    centres = torch.tensor([[0.2, 0.3], [0.7, 0.6]])
    angles = torch.tensor([0.4, 2.0])
    one, other = (composition(centres[i : i + 1], angles[i : i + 1], side=8) for i in range(2))
    assert_close(composition(centres, angles, side=8), one + other)


def test_a_matrix_is_scaled_from_0_to_its_high() -> None:
    assert scaled(torch.tensor([[1.0, 2.0], [3.0, 5.0]]), 80).tolist() == [[0, 20], [40, 80]]


def test_every_label_spans_0_to_80_and_follows_its_seed() -> None:
    labels = GaussianComposition()(NAMES, Path(), 0)
    assert labels.shape == (3, 64, 64)
    assert labels.dtype == torch.float32
    assert labels.amin((1, 2)).tolist() == [0, 0, 0]
    assert labels.amax((1, 2)).tolist() == [80, 80, 80]
    assert labels.equal(GaussianComposition()(NAMES, Path(), 1))
    assert not labels.equal(GaussianComposition(seed=1)(NAMES, Path(), 0))
    assert not labels[0].equal(labels[1])
