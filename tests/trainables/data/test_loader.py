import threading
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from trainables.data.augments.augment import Augment, Crop, Flip
from trainables.data.data import Batch, Data, Split
from trainables.data.loader import AHEAD, evaluation_batches, steps_of, training_batches
from trainables.data.sources.source import Images
from trainables.settings import Use, classes_of

BOTH: list[Augment] = [Crop(padding=2), Flip()]


class OnDemand:
    """Images that are not held as a tensor; it counts the looks."""

    def __init__(self, images: Tensor) -> None:
        self.images, self.looks = images, threading.Semaphore(0)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> Tensor:
        self.looks.release()
        return self.images[index].contiguous(memory_format=torch.channels_last)


def pixels(n: int, side: int = 8) -> Tensor:
    """Noise; the first pixel of image i is i."""
    shape = (n, 3, side, side)
    images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))
    images[:, 0, 0, 0] = torch.arange(n)
    return images.to(torch.uint8)


def data(images: Images, side: int = 8) -> Data:
    """Every second image is trained on, backwards; labels are places in `images`."""
    rows = torch.arange(0, len(images), 2).flip(0)
    mean, std = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    return Data(("a", "b"), side, mean, std, Split(images, rows, rows), None, None)


def assert_same(left: Iterable[Batch], right: Iterable[Batch]) -> None:
    for one, other in zip(left, right, strict=True):
        for field in ("x", "y", "index"):
            assert_close(getattr(one, field), getattr(other, field), rtol=0, atol=0)
            assert getattr(one, field).stride() == getattr(other, field).stride()


def order(batches: Iterable[Batch]) -> list[int]:
    return [index for batch in batches for index in batch.index.tolist()]


def test_an_epoch_shows_every_training_image_once() -> None:
    assert sorted(order(training_batches(data(pixels(64)), 10, BOTH, 0, 0))) == list(range(32))


def test_images_labels_and_index_belong_together() -> None:
    d = data(pixels(64))
    for batch in training_batches(d, 10, [], 0, 0):
        assert_close(batch.x[:, 0, 0, 0].long(), batch.y)
        assert_close(d.train.y[batch.index], batch.y)


def test_the_order_differs_between_epochs_and_seeds_and_is_the_same_for_the_same() -> None:
    d = data(pixels(64))
    orders = [order(training_batches(d, 10, [], s, e)) for s, e in ((0, 0), (0, 1), (1, 0))]
    assert len({tuple(o) for o in orders}) == 3
    assert order(training_batches(d, 10, BOTH, 0, 0)) == orders[0]


def test_a_second_view_is_augmented_anew_and_leaves_the_first_as_it_is() -> None:
    d = data(pixels(64))
    alone, both = (list(training_batches(d, 10, BOTH, 0, 0, views=n)) for n in (1, 2))
    assert_same(alone, both)
    assert all(batch.other is None for batch in alone)
    others = [batch.other for batch in both if batch.other is not None]
    assert len(others) == len(both)
    for batch, other in zip(both, others, strict=True):
        assert other.shape == batch.x.shape
        assert not other.equal(batch.x)
    for batch in training_batches(d, 10, [], 0, 0, views=2):
        assert batch.other is not None
        assert_close(batch.other, batch.x)


@pytest.mark.parametrize("name", classes_of(Augment))
def test_a_worker_s_part_of_a_batch_has_the_very_images_of_the_whole(name: str) -> None:
    d, augment = data(pixels(64)), [Use(classes_of(Augment)[name]).build()]
    part = slice(2, 5)
    whole = training_batches(d, 9, augment, 3, 5, views=2)
    parts = training_batches(d, 9, augment, 3, 5, views=2, rows=lambda n: part if n == 9 else None)
    for batch, own in zip(whole, parts, strict=True):
        of = part if len(batch.y) == 9 else slice(None)
        assert own.images == (9 if len(batch.y) == 9 else None)
        assert batch.other is not None
        assert own.other is not None
        assert own.other.equal(batch.other[of])
        assert own.x.equal(batch.x[of])
        assert own.y.equal(batch.y[of])
        assert own.index.equal(batch.index[of])


def test_a_run_that_resumes_has_the_second_views_it_would_have_had() -> None:
    d = data(pixels(64))
    whole = list(training_batches(d, 9, BOTH, 3, 5, views=2))
    for batch, again in zip(
        whole[2:], training_batches(d, 9, BOTH, 3, 5, first=2, views=2), strict=True
    ):
        assert batch.other is not None
        assert_close(batch.other, again.other, rtol=0, atol=0)


def test_augmentation_differs_between_steps_and_epochs() -> None:
    same = pixels(1).expand(64, 3, 8, 8).contiguous()
    first, second = list(training_batches(data(same), 16, BOTH, 0, 0))
    later = next(training_batches(data(same), 16, BOTH, 0, 1))
    assert not first.x.equal(second.x)
    assert not first.x.equal(later.x)


@pytest.mark.parametrize("kind", [Tensor.contiguous, OnDemand])
@pytest.mark.parametrize("step", range(4))
def test_a_run_that_resumes_has_the_batches_it_would_have_had(kind: type, step: int) -> None:
    d = data(kind(pixels(64)))
    whole = list(training_batches(d, 9, BOTH, 3, 5))
    assert len(whole) == 4
    assert_same(training_batches(d, 9, BOTH, 3, 5, first=step), whole[step:])


@pytest.mark.parametrize(
    ("images", "size", "steps"),
    [(32, 8, 4), (33, 8, 4), (34, 8, 5), (5, 8, 1), (1, 8, 1), (3, 1, 3)],
)
def test_a_last_batch_of_one_image_is_left_out(images: int, size: int, steps: int) -> None:
    assert steps_of(images, size) == steps
    sizes = [len(b.y) for b in training_batches(data(pixels(2 * images)), size, [], 0, 0)]
    assert len(sizes) == steps
    assert sum(sizes) == (32 if images == 33 else images)


def test_images_on_demand_give_the_batches_of_resident_ones() -> None:
    held, streamed = data(pixels(64)), data(OnDemand(pixels(64)))
    assert_same(training_batches(held, 10, BOTH, 0, 0), training_batches(streamed, 10, BOTH, 0, 0))
    assert_same(
        evaluation_batches(held, held.train, 10), evaluation_batches(streamed, streamed.train, 10)
    )


def test_evaluation_shows_the_middle_of_all_images_in_their_order() -> None:
    images = pixels(20)
    d = data(images, side=4)
    batches = list(evaluation_batches(d, d.train, 4))
    assert order(batches) == list(range(10))
    assert_close(torch.cat([b.y for b in batches]), d.train.rows)
    middle = images[d.train.rows, :, 2:6, 2:6].float()
    assert_close(torch.cat([b.x for b in batches]), middle)


def test_pixels_are_normalised_by_channel() -> None:
    mean, std = torch.tensor([[1.0, 2, 3], [2, 4, 8]]).view(2, 1, 3, 1, 1)
    images = torch.full((2, 3, 8, 8), 11, dtype=torch.uint8)
    split = Split(images, torch.arange(2), torch.arange(2))
    (batch,) = evaluation_batches(Data(("a",), 8, mean, std, split, None, None), split, 2)
    assert batch.x.dtype == torch.float32
    assert_close(batch.x[0, :, 0, 0], torch.tensor([5, 2.25, 1]))
    assert (images == 11).all()


def test_the_next_images_are_decoded_while_a_batch_is_worked_on() -> None:
    images = OnDemand(pixels(32))
    batches = training_batches(data(images), 2, [], 0, 0)
    next(batches)
    for _ in range(1 + AHEAD):  # that batch, and those that are not asked for yet
        assert images.looks.acquire(timeout=30)
    assert not images.looks.acquire(timeout=0.05)  # but no further one


def test_an_error_while_decoding_reaches_the_training_loop() -> None:
    class Broken(OnDemand):
        def __getitem__(self, index: Tensor) -> Tensor:
            raise ValueError("img_0001.jpg")

    with pytest.raises(ValueError, match=r"img_0001.jpg"):
        list(training_batches(data(Broken(pixels(32))), 4, [], 0, 0))


def test_what_comes_before_an_image_that_fails_is_still_trained_on() -> None:
    class Broken(OnDemand):
        def __getitem__(self, index: Tensor) -> Tensor:
            if 30 in index:
                raise ValueError("img_0030.jpg")
            return super().__getitem__(index)

    d = data(Broken(pixels(32)))  # image 30 is the first to be evaluated
    seen = evaluation_batches(d, replace(d.train, rows=d.train.rows.flip(0)), 4)
    assert [next(seen).index.tolist()[0] for _ in range(3)] == [0, 4, 8]
    with pytest.raises(ValueError, match=r"img_0030.jpg"):
        next(seen)


def test_an_epoch_that_is_given_up_leaves_no_thread() -> None:
    before = threading.active_count()
    batches = training_batches(data(OnDemand(pixels(32))), 4, [], 0, 0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def with_meta(images: Tensor) -> Data:
    """The images at odd places, which are not trained on, are the meta-set."""
    rows = torch.arange(1, len(images), 2)
    return replace(data(images), meta=Split(images, rows, rows))


def test_each_batch_has_other_images_of_the_meta_set_drawn_by_seed_epoch_and_step() -> None:
    one = with_meta(pixels(40))
    drawn = [b.meta for b in training_batches(one, 5, BOTH, 0, 3, meta=True)]
    again = [b.meta for b in training_batches(one, 5, BOTH, 0, 3, first=2, meta=True)]
    assert len(drawn) == 4
    for batch, same in zip(drawn[2:], again, strict=True):
        assert batch is not None
        assert same is not None
        assert batch.x.equal(same.x)
        assert batch.y.equal(same.y)
    ys = [tuple(batch.y.tolist()) for batch in drawn if batch]
    assert all(len(set(y)) == 5 and all(label % 2 for label in y) for y in ys)
    assert len(set(ys)) == 4


def test_the_meta_set_changes_nothing_of_the_other_images() -> None:
    one = with_meta(pixels(40))
    plain, beside = (
        training_batches(one, 5, BOTH, 0, 3),
        training_batches(one, 5, BOTH, 0, 3, meta=True),
    )
    assert_same(plain, beside)


def test_a_meta_set_smaller_than_a_batch_is_seen_whole() -> None:
    one = with_meta(pixels(8))
    (batch,) = training_batches(one, 100, [], 0, 0, meta=True)
    assert batch.meta is not None
    assert sorted(batch.meta.y.tolist()) == [1, 3, 5, 7]
