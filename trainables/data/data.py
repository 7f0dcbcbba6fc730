"""Data: the images of one trial, split, on its device."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.data.cache import OFF, Cache
from trainables.data.corruptions.corrupt import Corrupt
from trainables.data.sources.cached import kept
from trainables.data.sources.image_files import Decoded
from trainables.data.sources.source import Images, Source
from trainables.data.spec import DataSpec
from trainables.seeding import generator
from trainables.settings import Invalid


@dataclass(frozen=True)
class Batch:
    """n images as a net sees them, their labels, and their places in the training set."""

    x: Tensor  # (n, channels, side, side), normalised
    y: Tensor  # (n,)
    index: Tensor  # (n,)
    other: Tensor | None = None  # the images augmented once more, where the method asks for it
    epoch: int = 0  # of the training that the batch is drawn in, counted from 0
    meta: "Batch | None" = None  # clean images and labels, where the method learns from such
    images: int | None = None  # of the whole batch, where this is one worker's part of it


@dataclass(frozen=True)
class Split:
    """Images and labels by index. `rows` are the places in `images` that belong to the split.

    Where `images` are whole ones, distorted to squares, `shapes` has their heights and widths, by
    place in `images`, on the CPU; 0 for those that were never looked up.
    """

    images: Images
    rows: Tensor  # (n,), on the device; on the CPU if the images are decoded on demand
    y: Tensor  # (n,), on the device
    truth: Tensor | None = None  # (n,), on the device: the labels before they were corrupted
    shapes: Tensor | None = None  # (images, 2)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def clean(self) -> Tensor:
        """(n,) the true labels: `y`, unless it was corrupted."""
        return self.y if self.truth is None else self.truth

    @property
    def flipped(self) -> Tensor:
        """The places in the split of the wrong labels, ascending."""
        return (self.y != self.clean).nonzero()[:, 0]

    @property
    def wrong(self) -> "Split | None":
        """The images with wrong labels, and these labels; None where there are none."""
        places = self.flipped
        return self.at(places) if len(places) else None

    def at(self, places: Tensor) -> "Split":
        """Those images of the split, with the labels that they are given."""
        rows = self.rows[places.to(self.rows.device)]
        return replace(self, rows=rows, y=self.y[places], truth=None)


@dataclass(frozen=True)
class Data:
    """What a trial trains on, is selected by, and is tested on."""

    names: tuple[str, ...]
    side: int
    mean: Tensor  # (1, channels, 1, 1), of pixels 0 .. 255
    std: Tensor
    train: Split
    validation: Split | None
    test: Split | None
    meta: Split | None = None


class Rows(NamedTuple):
    """Places of images in what a source gives as its training images; each ascending."""

    train: Tensor
    validation: Tensor
    meta: Tensor


def load(spec: DataSpec, seed: int, folder: Path, device: torch.device, cache: Cache = OFF) -> Data:
    """The trial's data. Raises Invalid where they are missing, or too few for the spec.

    Images that are decoded are read from the `cache` as far as they are there, and put there.
    """
    source: Source = spec.source.build()
    source.verify(folder)
    names = source.names(folder)
    part, y = _load(source, folder, "train", device, cache)
    rows = chosen(spec, y, names, seed)
    given = corrupted(spec, y, rows, names, seed)
    train = _split(part, rows.train, given, y, device)
    validation = _split(part, rows.validation, given, y, device)
    meta = _split(part, rows.meta, y, y, device)
    if spec.meta_drawn == "source":
        part, y = _load(source, folder, "meta", device, cache)
        meta = _split(part, chosen_meta(spec, y, names, seed), y, y, device)
    test = None
    if spec.test:
        part, y = _load(source, folder, "test", device, cache)
        test = _split(part, torch.arange(len(y)), y, y, device)
    mean, std = torch.tensor(source.normalisation, device=device).view(2, 1, -1, 1, 1) * 255
    held = validation if len(validation) else None
    return Data(names, source.side, mean, std, train, held, test, meta if len(meta) else None)


def chosen(spec: DataSpec, y: Tensor, names: Sequence[str], seed: int) -> Rows:
    """Which images are trained on, validated on, and learned from besides, by the labels of all.

    Raises Invalid, naming the class, where one has too few images.
    """
    held, rest = held_out(y, spec.validation, generator(seed, "split"), names)
    meta = rest[:0]
    if spec.meta_drawn == "before":
        meta, rest = _meta(spec, y, rest, names, seed)
    rest = _thinned(spec, y, rest, names, seed)
    if spec.meta_drawn == "after":
        meta, rest = _meta(spec, y, rest, names, seed)
    rows = Rows(rest, held, meta)
    if torch.bincount(torch.cat(rows)).max() > 1:
        raise AssertionError("an image is in two of the sets to train, validate and learn from")
    return rows


def _meta(
    spec: DataSpec, y: Tensor, rows: Tensor, names: Sequence[str], seed: int
) -> tuple[Tensor, Tensor]:
    """Those of `rows` that are learned from besides, and those that are left; both ascending."""
    if (size := spec.meta_per_class) is None:
        return rows[:0], rows
    there = torch.bincount(y[rows], minlength=len(names)).tolist()
    for name, images in zip(names, there, strict=True):
        if size >= images:
            valid = f"below {images}, the images left of class {name!r}, one of which is trained on"
            raise Invalid(f"dataspec.meta_per_class = {size}: must be {valid}")
    meta = subset(y, rows, [size] * len(names), generator(seed, "meta"))
    return meta, rows[~torch.isin(rows, meta)]


def chosen_meta(spec: DataSpec, y: Tensor, names: Sequence[str], seed: int) -> Tensor:
    """Which of the source's own clean images are learned from, by the labels of all; ascending.

    Raises Invalid, naming the class, where one has too few images.
    """
    rows = torch.arange(len(y))
    if (size := spec.meta_per_class) is None:
        return rows
    there = torch.bincount(y, minlength=len(names)).tolist()
    for name, images in zip(names, there, strict=True):
        if size > images:
            valid = f"at most {images}, the clean images that the source has of class {name!r}"
            raise Invalid(f"dataspec.meta_per_class = {size}: must be {valid}")
    return subset(y, rows, [size] * len(names), generator(seed, "meta"))


def _thinned(spec: DataSpec, y: Tensor, rest: Tensor, names: Sequence[str], seed: int) -> Tensor:
    """Those of the rows that train_per_class, train_share and imbalance leave, ascending."""
    if not (spec.train_per_class or spec.train_share or spec.imbalance):
        return rest
    there = torch.bincount(y[rest], minlength=len(names)).tolist()
    sizes = [spec.train_per_class] * len(names) if spec.train_per_class else there
    if spec.train_share:
        all_images = torch.bincount(y, minlength=len(names)).tolist()
        sizes = [share_of(images, spec.train_share) for images in all_images]
    if spec.imbalance is not None:
        sizes = spec.imbalance.build()(min(sizes), names, generator(seed, "imbalance"))
    for name, size, images in zip(names, sizes, there, strict=True):
        if size > images:
            valid = f"at most {images}, the images left of class {name!r}"
            if spec.train_share:
                raise Invalid(f"dataspec.train_share = {spec.train_share}: {size} must be {valid}")
            raise Invalid(f"dataspec.train_per_class = {spec.train_per_class}: must be {valid}")
    return subset(y, rest, sizes, generator(seed, "subset"))


def share_of(images: int, share: float) -> int:
    """The share of so many images: at least one, and a half counts as one more."""
    exact = Decimal(str(share)) * images  # 0.29 of 50 are 14.5, and in binary a little less
    return max(1, int(exact.to_integral_value(ROUND_HALF_UP)))


def check_spec(spec: DataSpec, folder: Path) -> None:
    """Raises Invalid, naming the class, where one has too few images for the spec.

    And where a rule by which labels are made wrong has none for these classes.
    """
    source: Source = spec.source.build()
    for use in spec.corrupt:
        use.build()(torch.zeros(0).long(), source.names(folder), generator(0, "corrupt"))
    thinned = spec.train_per_class or spec.train_share or spec.imbalance
    listed = type(source).labels_of is not Source.labels_of  # without a look at the images
    if thinned or spec.taken_per_class or (spec.validation and listed):
        chosen(spec, source.labels_of(folder, "train"), source.names(folder), seed=0)
    if spec.meta_drawn == "source":
        chosen_meta(spec, source.labels_of(folder, "meta"), source.names(folder), seed=0)


class Part(NamedTuple):
    """Images of a part of a source, and what a Split of them has as `shapes`."""

    images: Images
    shapes: Tensor | None


def _load(
    source: Source, folder: Path, part: str, device: torch.device, cache: Cache
) -> tuple[Part, Tensor]:
    images, y = source.load(folder, part)
    shapes = None
    if isinstance(images, Decoded):
        shapes = images.shapes
        images = kept(images, cache)
    return Part(images.to(device) if isinstance(images, Tensor) else images, shapes), y


def _split(part: Part, rows: Tensor, y: Tensor, truth: Tensor, device: torch.device) -> Split:
    # For images on demand rows are read on the CPU: fetching them would wait for the device.
    near = rows.to(device) if isinstance(part.images, Tensor) else rows
    clean = None if y is truth else truth[rows].to(device)
    return Split(part.images, near, y[rows].to(device), clean, part.shapes)


def corrupted(spec: DataSpec, y: Tensor, among: Rows, names: Sequence[str], seed: int) -> Tensor:
    """The labels as they are given to training: `y` itself, or a copy with some wrong ones.

    Each rule works on the training rows alone, so that its numbers are exact there, and then by
    chance of their own on the validation rows, unless it leaves them clean.
    """
    given = y
    for place, use in enumerate(spec.corrupt):
        rule: Corrupt = use.build()
        given = given.clone()
        sets = {"corrupt": among.train}
        if rule.validation:
            sets["corrupt.validation"] = among.validation
        for purpose, rows in sets.items():
            given[rows] = rule(given[rows], names, generator(seed, purpose, place))
    return given


def held_out(
    y: Tensor, share: float, generator: torch.Generator, names: Sequence[str] = ()
) -> tuple[Tensor, Tensor]:
    """Rows held out and rows left, both ascending: the share of every class, at least one image.

    Raises Invalid where that leaves nothing of a class, by its name if there are `names`.
    """
    held = []
    for label in range(int(y.max()) + 1 if share else 0):
        rows = (y == label).nonzero()[:, 0]
        count = max(1, round(share * len(rows)))
        if count == len(rows):
            name = repr(names[label]) if names else label
            valid = f"less, to leave some of the {count} images of class {name} to train on"
            if count == 1:
                valid = f"0, or class {name} must have more than its one image"
            raise Invalid(f"dataspec.validation = {share}: must be {valid}")
        held.append(rows[torch.randperm(len(rows), generator=generator)[:count]])
    taken = torch.zeros(len(y), dtype=torch.bool)
    taken[torch.cat(held) if held else []] = True
    return taken.nonzero()[:, 0], (~taken).nonzero()[:, 0]


def subset(y: Tensor, rows: Tensor, sizes: Sequence[int], generator: torch.Generator) -> Tensor:
    """So many of `rows` of each class as it has in `sizes`, ascending; fewer are among more."""
    drawn = []
    for label, size in enumerate(sizes):
        mine = rows[y[rows] == label]
        drawn.append(mine[torch.randperm(len(mine), generator=generator)[:size]])
    return torch.cat(drawn).sort().values
