"""Images named in lists, as mini-ImageNet comes (Vinyals et al. 2016, Ravi & Larochelle 2017)."""

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from torch import Tensor, tensor

from trainables.data.sources import pixels
from trainables.data.sources.digits import Digits
from trainables.data.sources.image_files import Fit, ImageFiles
from trainables.data.sources.image_folder import complete
from trainables.labels import synsets
from trainables.settings import (
    Count,
    Files,
    Fraction,
    Interval,
    Invalid,
    Missing,
    Positive,
    Use,
    readable,
)

HEADER = ["filename", "label"]
Named = dict[str, list[str]]  # images by label, in the order of the lists


class ImageLists(ImageFiles):
    """`path` holds images/ and the `lists`: lines "filename,label" under that header.

    Of each class the first `per_class` images of all lists together are trained on, the next
    `test_per_class` tested on: so lists that split the classes become a split of the images. Images
    are read as those of an ImageFolder. `names`: classes are called by their labels, or, where
    these are WordNet ids, by the first word that WordNet has for them.
    """

    def __init__(
        self,
        *,
        path: str,  # relative ones lie under the data folder
        lists: tuple[str, ...],
        side: Count,
        resize: Count,
        fit: Fit = "crop",
        classes: Count,
        per_class: Count,
        test_per_class: Count,
        names: Literal["labels", "wordnet"] = "labels",
        mean: tuple[Fraction, Fraction, Fraction] = (0.485, 0.456, 0.406),  # of ImageNet
        std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225),
        turn: Annotated[int, Interval("[0, 15]")] = 3,
    ) -> None:
        self.path, self.lists, self.resize, self.fit = path, lists, resize, fit
        self.side, self.named_by = side, names
        self.per_class, self.test_per_class = per_class, test_per_class
        self.classes, self.images = classes, classes * per_class
        self.test_images = classes * test_per_class
        self.normalisation = (mean, std)

    @classmethod
    def check(cls, *, side: int, resize: int, lists: tuple[str, ...], **_: object) -> None:
        if resize < side:
            raise Invalid(f"ImageLists.resize = {resize}: must be at least side = {side}")
        if not lists:
            raise Invalid("ImageLists.lists = (): must name some lists")

    @classmethod
    def files(
        cls,
        folder: Path,
        *,
        path: str,
        lists: tuple[str, ...],
        per_class: int,
        test_per_class: int,
        **_: object,
    ) -> dict[str, Files]:
        root, found = folder / path, read(folder / path, lists)
        chosen = [name for each in found.values() for name in each[: per_class + test_per_class]]
        images = Files(root / "images", chosen, pixels.require_known, pixels.RULES)
        return {"lists": Files(root, lists), "path": images}

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(Digits, turn=use["turn"])

    def verify(self, folder: Path) -> None:
        root, found = folder / self.path, read(folder / self.path, self.lists)
        complete(root, len(found), self.classes, "classes")
        for label, images in found.items():
            if len(images) < self.per_class + self.test_per_class:
                what = f"{self.per_class + self.test_per_class} images of class {label!r}"
                raise Missing(f"{root}: its lists are incomplete: {len(images)} of {what}")
        there = {entry.name for entry in (root / "images").iterdir()} if root.is_dir() else set()
        for images in found.values():
            for name in images[: self.per_class + self.test_per_class]:
                if name not in there:
                    raise Missing(f"{root / 'images' / name} is missing: a list names it")

    def names(self, folder: Path) -> tuple[str, ...]:
        labels = tuple(read(folder / self.path, self.lists))
        return labels if self.named_by == "labels" else words(labels, folder)

    def image_files(self, folder: Path, part: str) -> Files:
        names = [name for images in self._of(folder, part) for name in images]
        return Files(folder / self.path / "images", names, pixels.require_known, pixels.RULES)

    def labels_of(self, folder: Path, part: str) -> Tensor:
        found = enumerate(self._of(folder, part))
        return tensor([label for label, images in found for _ in images])

    def _of(self, folder: Path, part: str) -> list[list[str]]:
        """The images of the part, by class."""
        start = 0 if part == "train" else self.per_class
        stop = start + (self.per_class if part == "train" else self.test_per_class)
        return [images[start:stop] for images in read(folder / self.path, self.lists).values()]


def words(labels: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The first word of the synset of each WordNet id. Raises Invalid for what is none."""
    try:
        wordnet = synsets.read(synsets.find(folder).parent)
        chosen = synsets.choose(labels, wordnet, {})
    except ValueError as error:
        raise Invalid(f"ImageLists.names = wordnet: {error}") from error
    return tuple(synset.name().rsplit(".", 2)[0] for synset in chosen)


def read(root: Path, lists: Sequence[str]) -> Named:
    """The images of each label, labels ascending. Raises Missing or Invalid, naming the list."""
    stamps = []
    for name in lists:
        path = root / name
        with readable(path):
            if not path.is_file():
                raise Missing(f"{path} is missing: a list of images, {','.join(HEADER)} a line")
            stamps.append(path.stat().st_mtime_ns)
    return _read(root, tuple(lists), tuple(stamps))


@lru_cache(maxsize=8)
def _read(root: Path, lists: tuple[str, ...], stamps: tuple[int, ...]) -> Named:
    found: Named = {}
    seen: set[str] = set()
    for name in lists:
        with (root / name).open(newline="", encoding="utf-8") as file:
            lines = csv.reader(file)
            if next(lines, None) != HEADER:
                raise Invalid(f"{root / name}: its first line must be {','.join(HEADER)}")
            for number, line in enumerate(lines, start=2):
                if len(line) != len(HEADER) or not all(line):
                    raise Invalid(f"{root / name}, line {number}: must be {','.join(HEADER)}")
                image, label = line
                if image in seen:
                    raise Invalid(f"{root / name}, line {number}: {image} must be listed once")
                seen.add(image)
                found.setdefault(label, []).append(image)
    return dict(sorted(found.items()))
