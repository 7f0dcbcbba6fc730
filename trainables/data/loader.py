"""Loader: batches of a split, gathered, augmented and normalised on the device.

The order depends on (seed, epoch) and the augmentation on (seed, epoch, step), so that a run that
resumes at any step goes on with the very batches that it would have had.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import torch
from torch import Tensor

from trainables.data.augments.augment import Augment, centre
from trainables.data.augments.whole import middle
from trainables.data.data import Batch, Data, Split
from trainables.data.samplers.sampler import Sampler, Shuffle
from trainables.seeding import generator

SHUFFLE = Shuffle()
AHEAD = 2  # batches that are looked up while one is worked on
ALL = slice(None)
Rows = Callable[[int], slice | None]  # which of a batch of n are wanted; None: all


def steps_of(images: int, batch_size: int) -> int:
    """Training steps in an epoch. A last batch of one image has no statistics and is left out."""
    full, rest = divmod(images, batch_size)
    return max(1, full + (rest > 1))


def training_batches(
    data: Data,
    batch_size: int,
    augment: Sequence[Augment],
    seed: int,
    epoch: int,
    first: int = 0,
    views: int = 1,
    sampler: Sampler = SHUFFLE,
    meta: bool = False,
    rows: Rows = lambda n: None,
) -> Iterator[Batch]:
    """The batches of an epoch from step `first` on, as the sampler draws them.

    With two views `Batch.other` is augmented by chance of its own; `Batch.x` is as with one.
    With `meta` each batch has as many images of the meta-set, or all, drawn for the step. Of each
    batch only the `rows` are there, with the very images that the whole one has.
    """
    order = sampler(data.train.y.cpu(), len(data.names), generator(seed, "order", epoch))
    steps = steps_of(len(data.train), batch_size)
    places = torch.split(order.to(data.train.rows.device), batch_size)[first:steps]
    numbers = range(first, first + len(places))
    clean: Iterator[Batch | None] = repeat(None, len(places))
    if meta:
        clean = _meta_batches(data, batch_size, augment, seed, epoch, numbers)
    parts = [rows(len(place)) for place in places]
    gathered = _gather(data.train, [w[part or ALL] for w, part in zip(places, parts, strict=True)])
    for step, whole, part, found, beside in zip(
        numbers, places, parts, gathered, clean, strict=True
    ):
        of = part and (part, len(whole))
        seen = [
            augmented(found, data, augment, generator(seed, purpose, epoch, step), of)
            for purpose in ("augmentation", "augmentation.other")[:views]
        ]
        other, y = seen[1] if views == 2 else None, data.train.y[found.index]
        yield Batch(seen[0], y, found.index, other, epoch, beside, of and of[1])


def _meta_batches(
    data: Data, batch_size: int, augment: Sequence[Augment], seed: int, epoch: int, steps: range
) -> Iterator[Batch]:
    """Images of the meta-set for each step, augmented as training images are."""
    split = data.meta
    assert split is not None, "a trial whose method learns from a meta-set has one"
    drawn = (
        torch.randperm(len(split), generator=generator(seed, "meta", epoch, step)) for step in steps
    )
    places = [order[:batch_size].to(split.rows.device) for order in drawn]
    for step, found in zip(steps, _gather(split, places), strict=True):
        seen = augmented(found, data, augment, generator(seed, "augmentation.meta", epoch, step))
        yield Batch(seen, split.y[found.index], found.index, epoch=epoch)


def evaluation_batches(
    data: Data, split: Split, batch_size: int, some: slice = ALL
) -> Iterator[Batch]:
    """All images of a split in their own order, not augmented; or `some` of these batches."""
    for batch in pixel_batches(data, split, batch_size, some):
        yield Batch(normalise(batch.x, data), batch.y, batch.index)


def pixel_batches(data: Data, split: Split, batch_size: int, some: slice = ALL) -> Iterator[Batch]:
    """The same with pixels, 0 to 255, uint8, in place of what a net sees."""
    places = torch.split(torch.arange(len(split), device=split.rows.device), batch_size)[some]
    for found in _gather(split, places):
        x = centred(found.x, found.shapes, data.side)
        yield Batch(x, split.y[found.index], found.index)


def augmented(
    found: "Gathered",
    data: Data,
    augment: Sequence[Augment],
    chance: torch.Generator,
    of: tuple[slice, int] | None = None,
) -> Tensor:
    """uint8 images (n, channels, height, width) as a net is shown them in training.

    They may be these rows `of` a batch of so many: chance is drawn for all, with black images in
    the others' places.
    """
    if of and augment:
        return augmented(found.among(*of), data, augment, chance)[of[0]]
    x, shapes = found.x, found.shapes
    for change in (change for change in augment if not change.normalised):
        if shapes is None:
            x = change(x, data.side, chance)
        else:
            x, shapes = change.of_whole(x, shapes, data.side, chance)
    x = normalise(centred(x, shapes, data.side), data)
    for change in (change for change in augment if change.normalised):
        x = change(x, data.side, chance)
    return x


def centred(x: Tensor, shapes: Tensor | None, side: int) -> Tensor:
    """The middle side x side pixels, of distorted images those of the undistorted ones."""
    return centre(x, side) if shapes is None else middle(x, shapes, side)


def normalise(x: Tensor, data: Data) -> Tensor:
    """uint8 to float32, contiguous, with the data set's mean and standard deviation taken out."""
    # However the images lie in memory, the nets' sums are then taken in the same order.
    x = x.to(torch.float32, memory_format=torch.contiguous_format)
    return x.sub_(data.mean).div_(data.std)


@dataclass(frozen=True)
class Gathered:
    """Images of a split."""

    index: Tensor  # (n,), their places in it, on the device
    x: Tensor  # (n, channels, height, width), uint8, on the device
    shapes: Tensor | None  # (n, 2), on the CPU, of whole images that are distorted to squares

    def among(self, rows: slice, n: int) -> "Gathered":
        """The same as these rows of n images; the others are black squares."""
        x = self.x.new_zeros(n, *self.x.shape[1:])
        x[rows] = self.x
        shapes = None
        if self.shapes is not None:
            shapes = self.shapes.new_full((n, 2), x.shape[-1])
            shapes[rows] = self.shapes
        return Gathered(self.index, x, shapes)


def _gather(split: Split, places: Sequence[Tensor]) -> Iterator[Gathered]:
    """Images on demand are looked up AHEAD batches before they are asked for, in threads."""
    if isinstance(split.images, Tensor):
        for index in places:
            yield _at(split, index, split.images.index_select(0, split.rows[index]))
        return
    with ThreadPoolExecutor(max_workers=AHEAD) as workers:
        ahead = deque[Future[Tensor]]()
        left = iter(places)
        for index in places:
            while len(ahead) <= AHEAD and (following := next(left, None)) is not None:
                ahead.append(workers.submit(_looked_up, split, following))
            yield _at(split, index, ahead.popleft().result())


def _looked_up(split: Split, index: Tensor) -> Tensor:
    """Where it is to be copied to a GPU, in memory that it reads while the CPU goes on."""
    x = split.images[split.rows[index]]
    return x.pin_memory() if split.y.is_cuda else x


def _at(split: Split, index: Tensor, x: Tensor) -> Gathered:
    """On the device, whose work is not waited for."""
    device = split.y.device
    shapes = None if split.shapes is None else split.shapes[split.rows[index].cpu()]
    return Gathered(index.to(device, non_blocking=True), x.to(device, non_blocking=True), shapes)
