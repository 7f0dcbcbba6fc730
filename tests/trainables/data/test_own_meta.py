"""Meta-sets of clean images that the source itself has besides those to train on."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainables.small import CPU, FORMATS, SITE, small_trial
from trainables.data.corruptions.symmetric import Symmetric
from trainables.data.data import Data, check_spec, load
from trainables.data.imbalances.long_tail import LongTail
from trainables.data.loader import training_batches
from trainables.data.sources.digits import Digits
from trainables.data.sources.source import Source
from trainables.data.spec import DataSpec
from trainables.methods.mw_net import MWNet
from trainables.settings import Invalid, Use
from trainables.storage.storage import Storage
from trainables.training.fit import fit


class Own(Source):
    """Five classes of 12 images, and 2 + c clean ones of class c besides; a pixel says which."""

    channels, side, classes = 1, 1, 5
    images, meta_images, test_images = 60, 20, 10
    normalisation = ((0.0,), (1 / 255,))  # so that a net is shown the number

    def names(self, folder: Path) -> tuple[str, ...]:
        return tuple("abcde")

    def load(self, folder: Path, part: str) -> tuple[Tensor, Tensor]:
        first, sizes = {
            "train": (0, [12] * 5),
            "meta": (100, [2, 3, 4, 5, 6]),
            "test": (200, [2] * 5),
        }[part]
        y = torch.arange(5).repeat_interleave(torch.tensor(sizes))
        return torch.arange(first, first + len(y)).to(torch.uint8).view(-1, 1, 1, 1), y

    @classmethod
    def demo(cls, use: Use) -> Use:
        return Use(Digits)


OWN = DataSpec(source=Use(Own), validation=0.25, meta_drawn="source")


def loaded(spec: DataSpec, seed: int = 0) -> Data:
    return load(spec, seed, Path(), CPU)


def pixels(data: Data) -> list[int]:
    """Which images the meta-set has."""
    assert data.meta
    assert isinstance(data.meta.images, Tensor)
    return data.meta.images[data.meta.rows].flatten().tolist()


def test_none_a_class_is_all_and_a_number_so_many_of_each() -> None:
    assert pixels(loaded(OWN)) == list(range(100, 120))
    some = loaded(OWN.but(meta_per_class=2))
    assert some.meta
    assert some.meta.y.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert set(pixels(some)) < set(range(100, 120))


def test_the_seed_draws_them() -> None:
    drawn = [pixels(loaded(OWN.but(meta_per_class=2), seed)) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len(set(map(tuple, drawn))) == 4


def test_no_other_part_changes_and_the_images_stay_clean() -> None:
    noise = (Use(Symmetric, rate=0.5),)
    with_meta = loaded(OWN.but(meta_per_class=2, corrupt=noise))
    without = loaded(OWN.but(meta_drawn="before", corrupt=noise))
    assert without.meta is None
    assert with_meta.meta
    assert with_meta.meta.truth is None
    assert with_meta.train.rows.equal(without.train.rows)
    assert with_meta.train.y.equal(without.train.y)
    assert with_meta.validation
    assert without.validation
    assert with_meta.validation.rows.equal(without.validation.rows)


def test_a_tail_may_leave_fewer_images_to_train_on_than_there_are_clean_ones() -> None:
    data = loaded(OWN.but(meta_per_class=2, imbalance=Use(LongTail, rho=9)))
    assert torch.bincount(data.train.y).tolist() == [9, 5, 3, 1, 1]
    assert data.meta
    assert torch.bincount(data.meta.y).tolist() == [2] * 5


def test_a_class_with_too_few_is_refused_before_the_start() -> None:
    message = "meta_per_class = 3: must be at most 2, the clean images that the source has of"
    with pytest.raises(Invalid, match=f"^dataspec.{message} class 'a'$"):
        check_spec(OWN.but(meta_per_class=3), Path())
    with pytest.raises(Invalid, match=message):
        loaded(OWN.but(meta_per_class=3))
    check_spec(OWN.but(meta_per_class=2), Path())


def test_a_source_without_such_a_part_is_refused_when_written() -> None:
    message = "meta_drawn = source: must be before or after: Digits has no clean images besides"
    with pytest.raises(Invalid, match=f"^dataspec.{message}$"):
        DataSpec(source=Use(Digits), meta_drawn="source", meta_per_class=2)
    with pytest.raises(Invalid, match=message):
        small_trial(**{"data.meta_drawn": "source"})


def test_batches_hold_its_images_beside_those_to_train_on() -> None:
    data = loaded(OWN)
    batches = list(training_batches(data, 8, [], 0, 0, meta=True))
    assert len(batches) == 6  # of 45 images, three of a class held out
    for batch in batches:
        assert batch.meta
        assert batch.x.max() < 100
        assert batch.meta.x.min() >= 100
        assert batch.meta.y.equal(data.meta.y[batch.meta.index])  # type: ignore[union-attr]


def test_a_method_learns_from_them_without_a_number_a_class(tmp_path: Path) -> None:
    whole = small_trial(**{"recipe.augment": ()})  # a crop of one pixel is mostly its padding
    trial = whole.but(data=OWN.but(test=False), method=Use(MWNet))
    ready = trial.resolved(Path(), FORMATS)
    fit(ready, Storage(tmp_path), SITE)
    result = Storage(tmp_path).trial(ready.id).result()
    assert result
    assert result.status == "finished", result
