"""Every part on a GPU: one epoch in both precisions, resume, too little memory, `auto` formats.

STUDY_TEST_DEVICE=cpu rehearses what does not need the GPU itself.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainables.data.augments.test_whole import photograph
from tests.trainables.small import NOWHERE, small_trial
from tests.trainables.test_contract import MEMORY, TRIALS
from tests.trainables.training.test_fused import Breaking
from tests.trainables.training.test_fused_captured import Wild
from trainables.contract.resumed import kill_after_epoch
from trainables.data.augments.augment import Augment, Flip, ResizedCrop
from trainables.data.cache import Cache
from trainables.data.data import load
from trainables.data.loader import training_batches
from trainables.data.sources import cached
from trainables.data.sources.image_folder import ImageFolder
from trainables.data.spec import DataSpec
from trainables.settings import Use
from trainables.storage.result import OUT_OF_MEMORY
from trainables.storage.storage import Storage
from trainables.targets.disturb import Disturb
from trainables.targets.one_hot import OneHot
from trainables.targets.online import Online
from trainables.targets.smooth import Smooth
from trainables.training.fit import fit
from trainables.training.fit_fused import fit_fused
from trainables.training.site import Site, formats_of
from trainables.trial import Trial

DEVICE = torch.device(os.environ.get("STUDY_TEST_DEVICE", "cuda"))
SITE = Site(NOWHERE, DEVICE)
WIDE = {"net.width": 512, "seed": 1}  # some 200 MB of weights, and as much of their gradients
LOW = {"recipe.precision": "bfloat16", "recipe.memory_format": "channels_last"}
# Of those whose steps are repeated, with a teacher, chance, a memory, or a change of stage.
REPEATED = ("Online", "KnowledgeLoss", "Equalization", "CenterLoss", "SelfDistilled", "CRT")
CAPTURED = {"float32": small_trial(), **{name: TRIALS[name].set(LOW) for name in REPEATED}}
CAP = 0.001  # of the GPU's memory, while it is to be too little

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE.type == "cuda" and not torch.cuda.is_available(), reason="needs an NVIDIA GPU"
    ),
]
on_a_gpu_alone = pytest.mark.skipif(DEVICE.type != "cuda", reason="a CPU has no such limit")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("trial", TRIALS.values(), ids=TRIALS)
def test_every_part_trains_an_epoch(trial: Trial, precision: str, tmp_path: Path) -> None:
    short = trial.set({"recipe.precision": precision, "recipe.memory_format": "channels_last"})
    epochs: list[float] = []

    class Enough(KeyboardInterrupt):
        pass

    def report(row: dict[str, float]) -> None:
        epochs.append(row["epoch"])
        raise Enough

    storage = Storage(tmp_path)
    with pytest.raises(Enough):
        fit(short, storage, SITE, report)
    assert epochs == [1]


def test_a_trial_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    undisturbed, killed = Storage(tmp_path / "whole"), Storage(tmp_path / "killed")
    whole = fit(MEMORY, undisturbed, SITE)
    kill_after_epoch(2, MEMORY, killed, SITE)
    stopped = killed.trial(MEMORY.id).history()
    result = fit(MEMORY, killed, SITE)
    assert result.history[:2] == stopped
    assert [row["epoch"] for row in result.history] == [1, 2, 3]
    # Sums on a GPU are not taken in one order, so that the last epoch agrees nearly.
    last, other = result.history[-1], whole.history[-1]
    assert last["train.loss"] == pytest.approx(other["train.loss"], rel=0.05)


@pytest.mark.parametrize("fit", ["crop", "whole"])
def test_images_on_demand_come_as_they_do_to_a_cpu(
    fit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "RESIDENT_BYTES", 0)
    for part in ("train", "test"):
        for label, name in enumerate("ab"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(5):
                image = photograph(30 + i, 40 - i, seed=10 * label + i)
                image.save(tmp_path / part / name / f"{i}.png")
    source = Use(ImageFolder, path=str(tmp_path), side=16, resize=24, fit=fit)
    there, here = (
        load(DataSpec(source=source), 0, tmp_path, device, Cache(tmp_path / "cache"))
        for device in (DEVICE, torch.device("cpu"))
    )
    augment: list[Augment] = [ResizedCrop(), Flip()]
    runs = (training_batches(data, 3, augment, 0, 0) for data in (there, here))
    for one, other in zip(*runs, strict=True):
        assert one.x.device.type == one.index.device.type == DEVICE.type
        assert one.y.tolist() == other.y.tolist()
        assert (one.x.cpu() - other.x).abs().max() < 0.02  # a grey value, divided by 57


@on_a_gpu_alone
def test_the_result_names_the_gpu_and_the_peak_is_the_trials_own(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    large = fit(small_trial(**{"net.width": 64, "seed": 1}), storage, SITE)
    small = fit(small_trial(seed=2), storage, SITE)
    assert small.site["device"] == torch.cuda.get_device_name()
    assert small.site["peak_memory_mib"] < large.site["peak_memory_mib"]


@on_a_gpu_alone
def test_out_of_memory_is_a_result_that_is_tried_once_more(tmp_path: Path) -> None:
    trial, storage = small_trial(**WIDE), Storage(tmp_path)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(CAP)
    try:
        short = fit(trial, storage, SITE)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert (short.reason, short.final) == (OUT_OF_MEMORY, False)
    enough = fit(trial, storage, SITE, retry=True)
    assert (enough.status, enough.retried) == ("finished", True)


@on_a_gpu_alone
@pytest.mark.parametrize("trial", CAPTURED.values(), ids=CAPTURED)
def test_repeated_steps_are_those_that_are_launched_one_by_one(
    trial: Trial, tmp_path: Path
) -> None:
    """The kernels are the same; some of them do not add in one order."""
    repeated, anew = (
        fit(trial, Storage(tmp_path / name), site)
        for name, site in (("repeated", SITE), ("anew", replace(SITE, capture=False)))
    )
    assert repeated.reason is None
    assert repeated.site["captured"] is True
    assert "captured" not in anew.site
    for one, other in zip(repeated.history, anew.history, strict=True):
        assert one["train.loss"] == pytest.approx(other["train.loss"], rel=0.05)
        assert one["validation.loss"] == pytest.approx(other["validation.loss"], rel=0.05)


def test_auto_formats_are_those_of_the_device(tmp_path: Path) -> None:
    plain = small_trial().but(
        recipe=small_trial().recipe.but(precision="auto", memory_format="auto", epochs=1)
    )
    trial = plain.with_formats(formats_of(DEVICE.type))
    assert trial.recipe.memory_format == "channels_last"
    if DEVICE.type == "cuda":
        fast = torch.cuda.get_device_capability() >= (8, 0)
        assert trial.recipe.precision == ("bfloat16" if fast else "float32")
    assert fit(trial, Storage(tmp_path), SITE).status == "finished"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fused_trials_are_those_of_separate_training(precision: str, tmp_path: Path) -> None:
    """Within what another order of sums makes of it; evaluated together, as is usual on a GPU."""
    formats = {"recipe.precision": precision, "recipe.memory_format": "channels_last"}
    trials = [small_trial(seed=seed, **formats) for seed in range(4)]
    fused, separate = Storage(tmp_path / "fused"), Storage(tmp_path / "separate")
    fit_fused(trials, fused, SITE)
    for trial in trials:
        expected, result = fit(trial, separate, SITE), fused.trial(trial.id).result()
        assert result
        assert (result.reason, result.site["fused"]) == (None, 4)
        assert result.site.get("captured", False) == (DEVICE.type == "cuda")
        last, known = result.history[-1], expected.history[-1]
        assert last["train.loss"] == pytest.approx(known["train.loss"], rel=0.05)
        assert last["validation.loss"] == pytest.approx(known["validation.loss"], rel=0.05)


@on_a_gpu_alone
def test_fused_trials_repeat_the_steps_that_are_launched_one_by_one(tmp_path: Path) -> None:
    """Those of a part that uses chance step apart, and repeat none."""
    parts = (Use(OneHot), Use(Online), Use(Smooth), Use(Disturb))
    trials = [small_trial(**LOW, targets=targets) for targets in parts]
    repeated, anew = Storage(tmp_path / "repeated"), Storage(tmp_path / "anew")
    fit_fused(trials, repeated, SITE)
    fit_fused(trials, anew, replace(SITE, capture=False))
    for trial in trials:
        one, other = repeated.trial(trial.id).result(), anew.trial(trial.id).result()
        assert one
        assert other
        assert one.reason is None
        chance = trial.targets.part is Disturb
        assert (one.site["fused"], "captured" in one.site) == ((1, False) if chance else (3, True))
        assert (other.site["fused"], "captured" in other.site) == (4, False)
        for row, known in zip(one.history, other.history, strict=True):
            assert row["train.loss"] == pytest.approx(known["train.loss"], rel=0.05)
            assert row["validation.loss"] == pytest.approx(known["validation.loss"], rel=0.05)


@on_a_gpu_alone
def test_a_gradient_that_is_no_number_stops_no_other_fused_trial(tmp_path: Path) -> None:
    healthy, wild = small_trial(**LOW), small_trial(**LOW, targets=Use(Wild))
    fit_fused([healthy, wild], Storage(tmp_path), SITE)
    found = [Storage(tmp_path).trial(trial.id).result() for trial in (healthy, wild)]
    assert [result.reason is None for result in found if result] == [True, False]


@on_a_gpu_alone
def test_a_loss_that_is_no_number_stays_in_its_own_fused_trial(tmp_path: Path) -> None:
    formats = {"recipe.precision": "bfloat16", "recipe.memory_format": "channels_last"}
    healthy = small_trial(**formats)
    fit_fused([healthy, healthy.but(loss=Use(Breaking))], Storage(tmp_path), SITE)
    result = Storage(tmp_path).trial(healthy.id).result()
    assert result
    assert result.reason is None
