"""Images in a folder for each class, as torchvision reads them: CUB, subsets of ImageNet."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import psutil
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS, make_dataset
from torchvision.transforms import functional

from trainables.data.sources.digits import Digits
from trainables.data.sources.source import Images, Source
from trainables.settings import Count, Fraction, Interval, Invalid, Positive, Use

RESIDENT_BYTES = 8 << 30  # what is larger is decoded on demand

Fit = Literal["crop", "squash"]


class ImageFolder(Source):
    """`path` holds train/ and test/ (else val/), and they a folder of images for each class.

    Classes are named by their folders and numbered in the names' order. An image is stored as a
    square of `resize` pixels: the middle of the image resized by its shorter side ("crop"), or the
    whole image, distorted ("squash"). Augmentation and evaluation cut `side` pixels from this
    square. `classes`, `images` and `test_images` are how many classes, training and test images
    there must be. `turn` is the variant of the embedded digits that stands for it at demo scale.
    """

    def __init__(
        self,
        *,
        path: str,  # relative ones lie under the data folder
        side: Count,
        resize: Count,
        fit: Fit = "crop",
        classes: Count,
        images: Count,
        test_images: Count,
        mean: tuple[Fraction, Fraction, Fraction] = (0.485, 0.456, 0.406),  # of ImageNet
        std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225),
        turn: Annotated[int, Interval("[0, 15]")] = 3,
    ) -> None:
        self.path, self.side, self.resize, self.fit = path, side, resize, fit
        self.classes, self.images, self.test_images = classes, images, test_images
        self.normalisation = (mean, std)

    @classmethod
    def check(cls, *, side: int, resize: int, **_: object) -> None:
        if resize < side:
            raise Invalid(f"ImageFolder.resize = {resize}: must be at least side = {side}")

    @classmethod
    def files(cls, folder: Path, *, path: str, **_: object) -> dict[str, Path]:
        return {"path": folder / path}

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(Digits, turn=use["turn"])

    def verify(self, folder: Path) -> None:
        train, test = self._part(folder, "train"), self._part(folder, "test")
        names = class_names(train)
        if other := sorted(set(names).symmetric_difference(class_names(test))):
            some = ", ".join(other[:3]) + (" ..." if len(other) > 3 else "")
            raise Invalid(f"{test} must have the classes of {train.name}/: only one has {some}")
        complete(train, len(names), self.classes, "classes")
        for part, needed in ((train, self.images), (test, self.test_images)):
            labels = [label for _, label in listing(part)]
            if empty := set(range(len(names))).difference(labels):
                raise Invalid(f"{part / names[min(empty)]} has no images: must have some")
            complete(part, len(labels), needed, "images")

    def names(self, folder: Path) -> tuple[str, ...]:
        return class_names(self._part(folder, "train"))

    def load(self, folder: Path, part: str) -> tuple[Images, Tensor]:
        """A tensor where it takes up to a quarter of the free memory; else decoded on demand."""
        paths, y = zip(*listing(self._part(folder, part)), strict=True)
        images = Decoded(paths, self.resize, self.fit)
        room = min(RESIDENT_BYTES, psutil.virtual_memory().available // 4)
        fits = len(paths) * 3 * self.resize**2 <= room
        return images[torch.arange(len(images))] if fits else images, torch.tensor(y)

    def _part(self, folder: Path, part: str) -> Path:
        root = folder / self.path
        for name in ("train",) if part == "train" else ("test", "val"):
            if (root / name).is_dir():
                return root / name
        needed = "train/ and test/ or val/, with a folder of images for each class"
        raise Invalid(f"{root / part} is missing: {root} must have {needed}")


class Decoded:
    """Images of resize x resize pixels, decoded each time, on as many threads as torch has."""

    def __init__(self, paths: Sequence[str], resize: int, fit: Fit) -> None:
        self.paths, self.resize, self.fit = paths, resize, fit

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Tensor) -> Tensor:
        """(n,) -> (n, 3, resize, resize). Raises Invalid, naming the file, for a corrupt image."""
        x = np.empty((len(index), 3, self.resize, self.resize), np.uint8)

        def fill(place: int, image: int) -> None:
            x[place] = np.asarray(self._decode(Path(self.paths[image]))).transpose(2, 0, 1)

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for _ in pool.map(fill, range(len(index)), index.tolist()):
                pass
        return torch.from_numpy(x)

    def _decode(self, path: Path) -> Image.Image:
        content = path.read_bytes()
        try:
            image = Image.open(BytesIO(content)).convert("RGB")
        except Exception as error:  # Pillow reports a damaged file by many exceptions
            valid = "a complete image that Pillow can read"
            raise Invalid(f"{path} cannot be decoded: must be {valid}") from error
        size = [self.resize] * (2 if self.fit == "squash" else 1)  # one number: the shorter side
        square: Image.Image = functional.center_crop(functional.resize(image, size), [self.resize])
        return square


def class_names(part: Path) -> tuple[str, ...]:
    return tuple(sorted(entry.name for entry in part.iterdir() if entry.is_dir()))


def listing(part: Path) -> list[tuple[str, int]]:
    """Path and label of each image, in torchvision's order."""
    labels = {name: label for label, name in enumerate(class_names(part))}
    found: list[tuple[str, int]] = make_dataset(part, labels, IMG_EXTENSIONS, allow_empty=True)
    return found


def complete(part: Path, found: int, needed: int, what: str) -> None:
    """Raises Invalid unless `part` has exactly the classes or images that it must have."""
    if found < needed:
        raise Invalid(f"{part} is incomplete: {found} of {needed} {what}")
    if found > needed:
        raise Invalid(f"{part} has {found} {what}: must have {needed}")
