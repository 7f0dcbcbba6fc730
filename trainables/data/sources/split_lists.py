"""Images in lists to train on, to test on, and clean ones besides: ImageNet-LT, Clothing1M."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor, tensor

from trainables.data.sources import pixels
from trainables.data.sources.digits import Digits
from trainables.data.sources.image_files import Fit, ImageFiles
from trainables.data.sources.image_folder import complete
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
    require_file,
)

PARTS = ("train", "meta", "test")
Lists = tuple[str, ...]


class SplitLists(ImageFiles):
    """`path` holds images in any folders, and the lists of `train`, `test` and, if any, `meta`.

    A list has lines "path label". Or it is two files: lines "path", and the "path label" of these
    and others. Labels are numbers from 0 on. `images`, `meta_images` and `test_images` are how many
    each part must have. `names` are the classes', or a file with one a line; without any, their
    labels are. Images are read as those of an ImageFolder.
    """

    def __init__(
        self,
        *,
        path: str,  # relative ones lie under the data folder
        train: Lists,
        meta: Lists = (),
        test: Lists,
        side: Count,
        resize: Count,
        fit: Fit = "crop",
        classes: Count,
        images: Count,
        meta_images: Annotated[int, Interval("[0, inf)")] = 0,
        test_images: Count,
        names: tuple[str, ...] | str = (),
        mean: tuple[Fraction, Fraction, Fraction] = (0.485, 0.456, 0.406),  # of ImageNet
        std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225),
        turn: Annotated[int, Interval("[0, 15]")] = 3,
    ) -> None:
        self.path, self.lists, self.resize, self.fit = path, (train, meta, test), resize, fit
        self.side, self.classes, self.named = side, classes, names
        self.images, self.meta_images, self.test_images = images, meta_images, test_images
        self.normalisation = (mean, std)

    @classmethod
    def check(
        cls,
        *,
        side: int,
        resize: int,
        classes: int,
        meta_images: int,
        names: tuple[str, ...] | str,
        **settings: Any,
    ) -> None:
        if resize < side:
            raise Invalid(f"SplitLists.resize = {resize}: must be at least side = {side}")
        for part in PARTS:
            if len(settings[part]) not in ((0, 1, 2) if part == "meta" else (1, 2)):
                valid = "one list, or two: of paths, and of their labels"
                raise Invalid(f"SplitLists.{part} = {settings[part]}: must name {valid}")
        if bool(settings["meta"]) != bool(meta_images):
            valid = "above 0 with lists of `meta`, and 0 without"
            raise Invalid(f"SplitLists.meta_images = {meta_images}: must be {valid}")
        if names and not isinstance(names, str):
            _check_names(names, classes, f"SplitLists.names = {names}")

    @classmethod
    def files(
        cls,
        folder: Path,
        *,
        path: str,
        classes: int,
        names: tuple[str, ...] | str,
        **settings: Any,
    ) -> dict[str, Files | Path]:
        root, lists = folder / path, {part: settings[part] for part in PARTS}
        images = [
            name for each in read(root, tuple(lists.values()), classes) for name in each.names
        ]
        found: dict[str, Files | Path] = {
            part: Files(root, names) for part, names in lists.items() if names
        }
        if isinstance(names, str):
            found["names"] = root / names
        return found | {"path": Files(root, images, pixels.require_known, pixels.RULES)}

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(Digits, turn=use["turn"])

    def verify(self, folder: Path) -> None:
        root, counts = folder / self.path, (self.images, self.meta_images, self.test_images)
        parts = read(root, self.lists, self.classes)
        for lists, part, count in zip(self.lists, parts, counts, strict=True):
            if lists:
                complete(root / lists[0], len(part.names), count, "images")
                if empty := set(range(self.classes)).difference(part.labels):
                    what = f"no image of class {min(empty)}: must have some"
                    raise Missing(f"{root / lists[0]} names {what}")
        self.names(folder)
        _check_there(root, (name for part in parts for name in part.names))

    def names(self, folder: Path) -> tuple[str, ...]:
        if not isinstance(self.named, str):
            return self.named or tuple(map(str, range(self.classes)))
        path = folder / self.path / self.named
        require_file(path)
        with readable(path):
            found = tuple(path.read_text(encoding="utf-8", errors="replace").splitlines())
        _check_names(found, self.classes, str(path))
        return found

    def image_files(self, folder: Path, part: str) -> Files:
        names = self._part(folder, part).names
        return Files(folder / self.path, names, pixels.require_known, pixels.RULES)

    def labels_of(self, folder: Path, part: str) -> Tensor:
        return tensor(self._part(folder, part).labels)

    def _part(self, folder: Path, part: str) -> "Listed":
        return read(folder / self.path, self.lists, self.classes)[PARTS.index(part)]


@dataclass(frozen=True)
class Listed:
    """The images of a part by their places in the folder, as they are listed, and their labels."""

    names: tuple[str, ...]
    labels: tuple[int, ...]


def read(root: Path, lists: tuple[Lists, ...], classes: int) -> tuple[Listed, ...]:
    """What is listed of each part. Raises Missing or Invalid, naming the list and the line."""
    stamps = []
    for path in (root / name for names in lists for name in names):
        with readable(path):
            if not path.is_file():
                raise Missing(f"{path} is missing: a list of images must be there")
            stamps.append(path.stat().st_mtime_ns)
    return _read(root, lists, classes, tuple(stamps))


@lru_cache(maxsize=8)
def _read(
    root: Path, lists: tuple[Lists, ...], classes: int, stamps: tuple[int, ...]
) -> tuple[Listed, ...]:
    seen: dict[str, str] = {}  # the list that has named an image
    parts = []
    for names in lists:
        labels: list[int] = []
        before = len(seen)
        for where, image, label in _labelled([root / name for name in names], classes):
            if image in seen:
                raise Invalid(f"{where}: {image} must be listed once: {seen[image]} has it, too")
            seen[image] = names[0]
            labels.append(label)
        parts.append(Listed(tuple(seen)[before:], tuple(labels)))
    return tuple(parts)


def _labelled(files: Sequence[Path], classes: int) -> Iterator[tuple[str, str, int]]:
    """(list and line, image, label) of each image of a part, which has no, one or two files."""
    if len(files) < 2:
        for path in files:
            yield from _pairs(path, classes)
        return
    named, labelled = files
    known = {image: label for _, image, label in _pairs(labelled, classes)}
    for where, line in _lines(named):
        if (image := _place(line)) not in known:
            raise Invalid(f"{where}: {image} must have a label in {labelled}")
        yield where, image, known[image]


def _pairs(path: Path, classes: int) -> Iterator[tuple[str, str, int]]:
    for where, line in _lines(path):
        image, _, label = line.rpartition(" ")
        if not (image and label.isdecimal() and int(label) < classes):
            valid = f"a path and a label from 0 to {classes - 1}"
            raise Invalid(f"{where}: {line!r} must be {valid}")
        yield where, _place(image), int(label)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """(file and number, text) of each line that is not empty."""
    with readable(path), path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if line := line.strip():
                yield f"{path}, line {number}", line


def _place(image: str) -> str:
    """The one name of a place below the folder, however it is written; never one outside."""
    return posixpath.normpath(f"/{image.strip().lstrip('/')}")[1:]


def _check_there(root: Path, images: Iterable[str]) -> None:
    """Raises Missing for the first image that is not there; looks once into each folder."""
    there: dict[str, set[str]] = {}
    for image in images:
        inside, name = os.path.split(image)
        if inside not in there:
            folder = root / inside
            with readable(folder):
                there[inside] = set(os.listdir(folder)) if folder.is_dir() else set()
        if name not in there[inside]:
            raise Missing(f"{root / image} is missing: a list names it")


def _check_names(names: Sequence[str], classes: int, what: str) -> None:
    if len(names) != classes or len(set(names)) != classes or not all(names):
        raise Invalid(f"{what}: must be {classes} different names, none of them empty")
