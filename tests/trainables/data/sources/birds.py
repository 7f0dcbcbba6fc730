"""A small folder of images: its names, its settings, its pictures."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from trainables.data.sources.image_folder import ImageFolder
from trainables.seeding import generator
from trainables.settings import Invalid, Use

NAMES = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "010.Crow")
SETTINGS: dict[str, Any] = {
    "path": "birds",
    "side": 8,
    "resize": 10,
    "classes": 3,
    "images": 12,
    "test_images": 6,
}


def picture(width: int, height: int, seed: int, mode: str = "RGB") -> Image.Image:
    noise = torch.randint(0, 256, (height, width, 3), generator=generator(seed, "picture"))
    return Image.fromarray(noise.to(torch.uint8).numpy()).convert(mode)


def source(**changes: object) -> ImageFolder:
    built: ImageFolder = Use(ImageFolder, **{**SETTINGS, **changes}).build()
    return built


def refused(folder: Path, **changes: object) -> str:
    with pytest.raises(Invalid) as error:
        source(**changes).verify(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def identity(folder: Path, path: str = "birds") -> str:
    ((_, checksum),) = (
        Use(ImageFolder, **{**SETTINGS, "path": path}).resolved(folder).checksums or ()
    )
    return checksum
