"""Images in a folder for each class, as torchvision reads them: CUB, subsets of ImageNet."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from trainables.data.sources import pixels
from trainables.data.sources.digits import Digits
from trainables.data.sources.image_files import Fit, ImageFiles
from trainables.data.sources.listing import Listing, listing
from trainables.settings import (
    Count,
    Files,
    Fraction,
    Interval,
    Invalid,
    Missing,
    Positive,
    Use,
    printable,
    readable,
)

COUNTS = ("classes", "images", "test_images")


class ImageFolder(ImageFiles):
    """`path` holds train/ and test/ (else val/), and they a folder of images for each class.

    Classes are named by their folders and numbered in the names' order. An image is stored as a
    square of `resize` pixels: the middle of the image resized by its shorter side ("crop"), or the
    whole image, distorted ("squash"). Augmentation and evaluation cut `side` pixels from this
    square. "whole" is stored as "squash" is, and cut as the undistorted image would be: a random
    box from all of it, a window from the middle of its shorter side resized to `resize`. `classes`,
    `images` and `test_images` are how many classes, training and test images there must be; None:
    as many as there are. A trial's id has the number either way. `turn` is the variant of the
    embedded digits that stands for it at demo scale.
    """

    def __init__(
        self,
        *,
        path: str,  # relative ones lie under the data folder
        side: Count,
        resize: Count,
        fit: Fit = "crop",
        classes: Count | None = None,
        images: Count | None = None,
        test_images: Count | None = None,
        mean: tuple[Fraction, Fraction, Fraction] = (0.485, 0.456, 0.406),  # of ImageNet
        std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225),
        turn: Annotated[int, Interval("[0, 15]")] = 3,
    ) -> None:
        self.path, self.side, self.resize, self.fit = path, side, resize, fit
        # 0 until they are counted: `counted` gives a Use that has them all.
        self.classes, self.images = classes or 0, images or 0
        self.test_images = test_images or 0
        self.normalisation = (mean, std)

    @classmethod
    def check(cls, *, side: int, resize: int, **_: object) -> None:
        if resize < side:
            raise Invalid(f"ImageFolder.resize = {resize}: must be at least side = {side}")

    @classmethod
    def files(cls, folder: Path, *, path: str, **_: object) -> dict[str, Files]:
        found = (listing(place_of(folder / path, part)) for part in ("train", "test"))
        return {"path": _files_of(folder / path, found)}

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(Digits, turn=use["turn"])

    @classmethod
    def counted(cls, use: Use, folder: Path) -> Use:
        lacking = [name for name in COUNTS if use[name] is None]
        if not lacking:
            return use
        source: ImageFolder = use.build()
        source.verify(folder)
        train, test = source._listing(folder, "train"), source._listing(folder, "test")
        counts = map(len, (train.classes, train.images, test.images))
        found = dict(zip(COUNTS, counts, strict=True))
        return use.but(**{name: found[name] for name in lacking})

    def verify(self, folder: Path) -> None:
        train, test = self._listing(folder, "train"), self._listing(folder, "test")
        if other := sorted(set(train.classes).symmetric_difference(test.classes)):
            some = ", ".join(other[:3]) + (" ..." if len(other) > 3 else "")
            of = f"{test.part} must have the classes of {train.part.name}/"
            raise Invalid(f"{of}: only one has {some}")
        if self.classes:
            complete(train.part, len(train.classes), self.classes, "classes")
        if len(train.classes) < 2:
            some = f"one class, {train.classes[0]}" if train.classes else "no classes"
            raise Missing(f"{train.part} has {some}: must have a folder for each of two or more")
        for found, needed in ((train, self.images), (test, self.test_images)):
            if empty := set(range(len(train.classes))).difference(found.labels):
                name = found.classes[min(empty)]
                raise Missing(f"{found.part / name} has no images: must have some")
            if needed:
                complete(found.part, len(found.images), needed, "images")

    def remarks(self, folder: Path) -> list[str]:
        found = (self._listing(folder, part).remark for part in ("train", "test"))
        return [remark for remark in found if remark]

    def names(self, folder: Path) -> tuple[str, ...]:
        return tuple(map(printable, self._listing(folder, "train").classes))

    def image_files(self, folder: Path, part: str) -> Files:
        return _files_of(folder / self.path, [self._listing(folder, part)])

    def labels_of(self, folder: Path, part: str) -> Tensor:
        return torch.tensor(self._listing(folder, part).labels)

    def _listing(self, folder: Path, part: str) -> Listing:
        return listing(place_of(folder / self.path, part))


def _files_of(root: Path, parts: Iterable[Listing]) -> Files:
    names = [f"{each.part.name}/{image}" for each in parts for image in each.images]
    return Files(root, names, pixels.require_known, pixels.RULES)


def place_of(root: Path, part: str) -> Path:
    """The folder of the part "train" or "test". Raises Missing where there is none."""
    for name in ("train",) if part == "train" else ("test", "val"):
        with readable(root / name):
            if (root / name).is_dir():
                return root / name
    needed = "train/ and test/ or val/, with a folder of images for each class"
    if not root.exists() and (near := _near(root)):
        raise Missing(f"{root} is missing, the nearest there is {near}: must have {needed}")
    raise Missing(f"{root / part} is missing: {root} must have {needed}")


def _near(root: Path) -> str | None:
    """The folder beside it whose name is the most similar, if any."""
    with readable(root.parent):
        beside = root.parent.iterdir() if root.parent.is_dir() else ()
        names = [each.name for each in beside if each.is_dir()]
    return next(iter(get_close_matches(root.name, names, n=1, cutoff=0.5)), None)


def complete(part: Path, found: int, needed: int, what: str) -> None:
    """Raises Invalid unless `part` has exactly the classes or images; Missing for too few."""
    if found < needed:
        raise Missing(f"{part} is incomplete: {found} of {needed} {what}")
    if found > needed:
        raise Invalid(f"{part} has {found} {what}: must have {needed}")
