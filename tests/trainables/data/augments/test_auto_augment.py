"""AutoAugment: its table, its operations and whole batches, against torchvision's own."""

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, autoaugment

from trainables.data.augments.auto_augment import (
    CIFAR10,
    PROBABILITIES,
    STEPS,
    AutoAugment,
    draw,
    magnitude_of,
    operate,
)
from trainables.seeding import generator
from trainables.settings import Use

torch.set_num_threads(1)  # images here are too small for more

Drawn = tuple[int, Tensor, Tensor]


class Theirs(autoaugment.AutoAugment):
    """torchvision's, of one image, with what is drawn given to it."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__(autoaugment.AutoAugmentPolicy.CIFAR10)
        self.drawn = drawn

    def get_params(self, transform_num: int) -> Drawn:
        return self.drawn


def photos(n: int, channels: int, height: int, width: int) -> Tensor:
    """Noise, with a contrast that rises from none in the first image to all in the last."""
    shape = (n, channels, height, width)
    noise = torch.rand(shape, generator=generator(0, "noise"))
    contrast = torch.linspace(0, 255, n).view(n, 1, 1, 1)
    return (noise * contrast + (255 - contrast) / 3).to(torch.uint8)


def augmented(x: Tensor, *when: int) -> Tensor:
    return AutoAugment()(x, x.shape[2], generator(0, "test", *when))


def test_the_table_is_torchvisions() -> None:
    theirs = autoaugment.AutoAugment(autoaugment.AutoAugmentPolicy.CIFAR10)
    assert list(CIFAR10) == theirs.policies


@pytest.mark.parametrize(("height", "width"), [(32, 32), (8, 8), (331, 224)])
def test_magnitudes_are_torchvisions_at_every_level(height: int, width: int) -> None:
    space = autoaugment.AutoAugment()._augmentation_space(10, (height, width))
    for name in {name for name, _, _ in STEPS}:
        magnitudes, _ = space[name]
        levels = range(10) if magnitudes.dim() else [None]
        ours = [magnitude_of(name, level, height, width) for level in levels]
        assert ours == magnitudes.reshape(-1).tolist()


def test_the_operations_with_a_sign_are_torchvisions() -> None:
    space = autoaugment.AutoAugment()._augmentation_space(10, (32, 32))
    for name in {name for name, _, _ in STEPS}:
        signs = {sign for other, _, sign in STEPS if other == name}
        assert signs == ({-1, 1} if space[name][1] else {1})


def test_operations_by_hand() -> None:
    x = torch.tensor([[[[0, 100, 255]]]], dtype=torch.uint8)

    def found(name: str, magnitude: float = 0.0) -> list[int]:
        return operate(x, name, magnitude).flatten().tolist()

    assert found("Invert") == [255, 155, 0]
    assert found("Solarize", 101.0) == [0, 100, 0]
    assert found("Posterize", 2) == [0, 64, 192]
    assert found("TranslateX", 1.9) == [0, 0, 100]
    assert found("TranslateX", -1.9) == [100, 255, 0]
    assert found("Brightness", 0.5) == [0, 150, 255]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 7, 9)])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_an_operation_on_a_batch_is_torchvisions_on_each_image(
    step: tuple[str, int | None, int], shape: tuple[int, int, int]
) -> None:
    name, level, sign = step
    x = photos(6, *shape)
    magnitude = sign * magnitude_of(name, level, *shape[1:])
    nearest = InterpolationMode.NEAREST
    theirs = [autoaugment._apply_op(image, name, magnitude, nearest, None) for image in x]
    assert operate(x, name, magnitude).equal(torch.stack(theirs))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(150, 3, 24, 20), (150, 1, 8, 8), (1, 3, 32, 32)])
def test_a_batch_is_torchvisions_of_each_image_by_the_same_draws(
    shape: tuple[int, int, int, int], layout: torch.memory_format
) -> None:
    x = photos(*shape).contiguous(memory_format=layout)
    theirs = []
    for image, policy, applied, signs in zip(x, *draw(len(x), generator(0, "test")), strict=True):
        chances = torch.where(applied, -1.0, 2.0)  # below and above every probability
        theirs.append(Theirs((int(policy), chances, signs))(image))
    assert augmented(x).equal(torch.stack(theirs))


def test_each_sub_policy_is_as_frequent_and_is_applied_by_its_probabilities() -> None:
    policies, applied, signs = draw(50_000, generator(0, "test"))
    counts = policies.bincount(minlength=25)
    assert 1800 < counts.min() <= counts.max() < 2200  # 2,000 expected, deviation 44
    shares = torch.stack([applied[policies == i].float().mean(0) for i in range(25)])
    torch.testing.assert_close(shares, PROBABILITIES, rtol=0, atol=0.04)
    assert (shares[PROBABILITIES == 0] == 0).all()
    plus = torch.stack([signs[policies == i].float().mean(0) for i in range(25)])
    assert 0.45 < plus.min() <= plus.max() < 0.55
    both = applied[policies == 21].all(1).float().mean()  # 0.9 and 0.7, each by itself
    assert float(both) == pytest.approx(0.63, abs=0.04)


def test_other_images_of_the_batch_do_not_matter() -> None:
    x = photos(100, 3, 32, 32)
    other = x.clone()
    other[::2] = x[::2].flip(0, 3)
    once, again = augmented(x), augmented(other)
    assert once[1::2].equal(again[1::2])
    assert not once[::2].equal(again[::2])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_chance_gives_the_same_images_and_the_originals_stay(channels: int) -> None:
    x = photos(40, channels, 8, 8)
    before = x.clone()
    once, again, other = (augmented(x, i) for i in (1, 1, 2))
    assert once.equal(again)
    assert not once.equal(other)
    assert x.equal(before)
    assert (once.dtype, once.shape) == (x.dtype, x.shape)


def test_grey_images_have_no_colour_to_change() -> None:
    x = photos(4, 1, 8, 8)
    assert operate(x, "Color", 0.9).equal(x)


def test_it_comes_before_normalisation_and_stays_on_digits() -> None:
    assert not AutoAugment.normalised
    assert Use(AutoAugment).demo() == Use(AutoAugment)
