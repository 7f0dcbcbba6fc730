"""Re-sampling: how often a class is drawn."""

import pytest
import torch

from trainables.data.samplers.resample import Resample
from trainables.seeding import generator
from trainables.settings import Invalid, Use

Y = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)


def drawn(seed: int = 0, **settings: object) -> torch.Tensor:
    places: torch.Tensor = Use(Resample, **settings).build()(Y, 3, generator(seed, "order"))
    return places


def test_classes_are_as_frequent_as_each_other_by_the_inverse() -> None:
    assert len(drawn()) == len(Y)
    shares = torch.bincount(Y[drawn()]) / len(Y)
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.06)


def test_by_the_effective_number_a_class_has_n_over_its_number() -> None:
    # beta 0.99: E = 1 - 0.99^n over 0.01; n_c / E_c are 9.00, 1.51 and 1.05.
    number = torch.tensor([(1 - 0.99**n) / 0.01 for n in (900, 90, 10)])
    expected = torch.tensor([900.0, 90.0, 10.0]) / number
    shares = torch.bincount(Y[drawn(rule="effective", beta=0.99)]) / len(Y)
    assert shares.tolist() == pytest.approx((expected / expected.sum()).tolist(), abs=0.06)


def test_images_of_a_class_are_as_frequent_as_each_other_and_repeated() -> None:
    places = torch.cat([drawn(seed) for seed in range(20)])
    rare = torch.bincount(places, minlength=1000)[990:]
    assert rare.min() > 0.7 * rare.float().mean()


def test_the_seed_draws() -> None:
    assert drawn(1).equal(drawn(1))
    assert not drawn(1).equal(drawn(2))


def test_beta_stays_below_one() -> None:
    with pytest.raises(Invalid, match=r"Resample.beta = 1.0: must lie in \[0, 1\)"):
        Use(Resample, beta=1)
