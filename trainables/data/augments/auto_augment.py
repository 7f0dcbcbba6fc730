"""AutoAugment: pairs of operations that were searched for (Cubuk et al., CVPR 2019)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from trainables.data.augments.augment import Augment

Operation = tuple[str, float, int | None]  # name, probability, level of magnitude from 0 to 9

# The sub-policies that the paper found on reduced CIFAR-10, in torchvision's order.
CIFAR10: tuple[tuple[Operation, Operation], ...] = (
    (("Invert", 0.1, None), ("Contrast", 0.2, 6)),
    (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)),
    (("Sharpness", 0.8, 1), ("Sharpness", 0.9, 3)),
    (("ShearY", 0.5, 8), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.5, None), ("Equalize", 0.9, None)),
    (("ShearY", 0.2, 7), ("Posterize", 0.3, 7)),
    (("Color", 0.4, 3), ("Brightness", 0.6, 7)),
    (("Sharpness", 0.3, 9), ("Brightness", 0.7, 9)),
    (("Equalize", 0.6, None), ("Equalize", 0.5, None)),
    (("Contrast", 0.6, 7), ("Sharpness", 0.6, 5)),
    (("Color", 0.7, 7), ("TranslateX", 0.5, 8)),
    (("Equalize", 0.3, None), ("AutoContrast", 0.4, None)),
    (("TranslateY", 0.4, 3), ("Sharpness", 0.2, 6)),
    (("Brightness", 0.9, 6), ("Color", 0.2, 8)),
    (("Solarize", 0.5, 2), ("Invert", 0.0, None)),
    (("Equalize", 0.2, None), ("AutoContrast", 0.6, None)),
    (("Equalize", 0.2, None), ("Equalize", 0.6, None)),
    (("Color", 0.9, 9), ("Equalize", 0.6, None)),
    (("AutoContrast", 0.8, None), ("Solarize", 0.2, 8)),
    (("Brightness", 0.1, 3), ("Color", 0.7, 0)),
    (("Solarize", 0.4, 5), ("AutoContrast", 0.9, None)),
    (("TranslateY", 0.9, 9), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.9, None), ("Solarize", 0.8, 3)),
    (("Equalize", 0.8, None), ("Invert", 0.1, None)),
    (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, None)),
)
PROBABILITIES = torch.tensor([[probability for _, probability, _ in pair] for pair in CIFAR10])
UNSIGNED = ("Posterize", "Solarize", "AutoContrast", "Equalize", "Invert")

# By sub-policy, place in it and drawn sign: name, level and sign of the step. STEPS has each once.
_DRAWN = [
    [[(name, level, 1 if name in UNSIGNED else s) for s in (-1, 1)] for name, _, level in pair]
    for pair in CIFAR10
]
STEPS = list(dict.fromkeys(step for pair in _DRAWN for signs in pair for step in signs))
NUMBERS = torch.tensor(
    [[[STEPS.index(step) for step in signs] for signs in pair] for pair in _DRAWN]
)


def magnitude_of(name: str, level: int | None, height: int, width: int) -> float:
    """What a level says of images of this size, as in torchvision; 0 where there is none."""
    if level is None:
        return 0.0
    if name == "Posterize":
        return 8 - round(level * 4 / 9)  # bits
    first, last = {
        "ShearY": (0.0, 0.3),  # the angle's tangent
        "TranslateX": (0.0, 150 / 331 * width),  # pixels
        "TranslateY": (0.0, 150 / 331 * height),
        "Rotate": (0.0, 30.0),  # degrees
        "Solarize": (255.0, 0.0),  # the lowest value that is inverted
    }.get(name, (0.0, 0.9))  # a factor, less 1
    return float(torch.linspace(first, last, 10)[level])


def operate(x: Tensor, name: str, magnitude: float) -> Tensor:
    """uint8 images (n, 1 or 3, height, width) after this operation.

    A geometric one takes the nearest pixel, and 0 beyond the border.
    """
    from torchvision.transforms import functional as f  # two seconds, at the first batch only
    from torchvision.transforms.v2.functional import equalize  # the first version's is a loop

    # Of the others the first version: v2 rounds otherwise, by up to one grey value.
    pixels, factor, degrees = int(magnitude), 1.0 + magnitude, math.degrees(math.atan(magnitude))
    operations: dict[str, Callable[[], Tensor]] = {
        "ShearY": lambda: f.affine(x, 0.0, [0, 0], 1.0, [0.0, degrees], center=[0, 0]),
        "TranslateX": lambda: f.affine(x, 0.0, [pixels, 0], 1.0, [0.0, 0.0]),
        "TranslateY": lambda: f.affine(x, 0.0, [0, pixels], 1.0, [0.0, 0.0]),
        "Rotate": lambda: f.rotate(x, magnitude),
        "Brightness": lambda: f.adjust_brightness(x, factor),
        "Color": lambda: f.adjust_saturation(x, factor),
        "Contrast": lambda: f.adjust_contrast(x, factor),
        "Sharpness": lambda: f.adjust_sharpness(x, factor),
        "Posterize": lambda: f.posterize(x, int(magnitude)),
        "Solarize": lambda: f.solarize(x, magnitude),
        "AutoContrast": lambda: f.autocontrast(x),
        "Equalize": lambda: equalize(x),
        "Invert": lambda: f.invert(x),
    }
    return operations[name]()


def draw(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """For n images: the sub-policy (n,), which of its two are applied (n, 2), and signs (n, 2)."""
    policies = torch.randint(len(CIFAR10), (n,), generator=generator)
    applied = torch.rand(n, 2, generator=generator) < PROBABILITIES[policies]
    signs = torch.randint(2, (n, 2), generator=generator)  # 0 is minus, 1 plus
    return policies, applied, signs


class AutoAugment(Augment):
    """One of the 25 sub-policies for CIFAR-10, drawn for each image: two operations in turn.

    Each is applied with its probability, and with either sign where its magnitude has one.
    Magnitudes are torchvision's, as is the black beyond the border. The authors' code shifts by up
    to 10 of 32 pixels, and fills with the mean. Its factors are 0.1 to 1.9, without a sign.
    """

    def __call__(self, x: Tensor, side: int, generator: torch.Generator) -> Tensor:
        height, width = x.shape[2:]
        policies, applied, signs = draw(len(x), generator)
        x = x.clone()
        for place in (0, 1):  # the first operation of all images, then the second
            chosen = applied[:, place].nonzero()[:, 0]
            numbers = NUMBERS[policies, place, signs[:, place]][chosen]
            sizes = numbers.bincount(minlength=len(STEPS)).tolist()
            groups = torch.split(chosen[numbers.argsort()].to(x.device), sizes)
            for (name, level, sign), group in zip(STEPS, groups, strict=True):
                if len(group):
                    magnitude = sign * magnitude_of(name, level, height, width)
                    x.index_copy_(0, group, operate(x.index_select(0, group), name, magnitude))
        return x
