"""Loader: batches of a split, gathered, augmented and normalised on the device.

The order depends on (seed, epoch) and the augmentation on (seed, epoch, step), so that a run that
resumes at any step goes on with the very batches that it would have had.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat, zip_longest

import torch
from torch import Tensor

from trainables.data.augments.augment import Augment, centre
from trainables.data.data import Batch, Data, Split
from trainables.data.samplers.sampler import Sampler, Shuffle
from trainables.seeding import generator

SHUFFLE = Shuffle()
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
    for step, whole, part, (index, x), beside in zip(
        numbers, places, parts, gathered, clean, strict=True
    ):
        of = part and (part, len(whole))
        seen = [
            augmented(x, data, augment, generator(seed, purpose, epoch, step), of)
            for purpose in ("augmentation", "augmentation.other")[:views]
        ]
        other = seen[1] if views == 2 else None
        images = of and of[1]
        yield Batch(seen[0], data.train.y[index], index, other, epoch, beside, images)


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
    for step, (index, x) in zip(steps, _gather(split, places), strict=True):
        seen = augmented(x, data, augment, generator(seed, "augmentation.meta", epoch, step))
        yield Batch(seen, split.y[index], index, epoch=epoch)


def evaluation_batches(
    data: Data, split: Split, batch_size: int, some: slice = ALL
) -> Iterator[Batch]:
    """All images of a split in their own order, not augmented; or `some` of these batches."""
    for batch in pixel_batches(data, split, batch_size, some):
        yield Batch(normalise(batch.x, data), batch.y, batch.index)


def pixel_batches(data: Data, split: Split, batch_size: int, some: slice = ALL) -> Iterator[Batch]:
    """The same with pixels, 0 to 255, uint8, in place of what a net sees."""
    places = torch.split(torch.arange(len(split), device=split.rows.device), batch_size)[some]
    for index, x in _gather(split, places):
        yield Batch(centre(x, data.side), split.y[index], index)


def augmented(
    x: Tensor,
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
        whole = x.new_zeros(of[1], *x.shape[1:])
        whole[of[0]] = x
        return augmented(whole, data, augment, chance)[of[0]]
    for change in (change for change in augment if not change.normalised):
        x = change(x, data.side, chance)
    x = normalise(centre(x, data.side), data)
    for change in (change for change in augment if change.normalised):
        x = change(x, data.side, chance)
    return x


def normalise(x: Tensor, data: Data) -> Tensor:
    """uint8 to float32, contiguous, with the data set's mean and standard deviation taken out."""
    # However the images lie in memory, the nets' sums are then taken in the same order.
    x = x.to(torch.float32, memory_format=torch.contiguous_format)
    return x.sub_(data.mean).div_(data.std)


def _gather(split: Split, places: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """(index, images), both on the device; images on demand are decoded one batch ahead."""
    images, device = split.images, split.y.device
    if isinstance(images, Tensor):
        for index in places:
            yield index, images.index_select(0, split.rows[index])
        return

    def decode(index: Tensor) -> Tensor:
        return images[split.rows[index]]

    with ThreadPoolExecutor(max_workers=1) as worker:
        ahead = None
        for index, following in zip_longest(places, places[1:]):
            x = (ahead or worker.submit(decode, index)).result()
            ahead = worker.submit(decode, following) if following is not None else None
            yield index.to(device), x.to(device)
